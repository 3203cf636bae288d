// What is on its way to one proxy, of one type of resource: batches in order, one at a time, each answered before the
// next. A batch that the proxy refuses is cut in halves and sent again, until what it refuses stands alone: one bad
// resource keeps no other back. What was refused may be offered again, one resource at a time; when one is taken, the
// proxy has changed its mind, and the others are offered together. Pure; used by StreamState.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "traffic/snapshot.h"
#include "xds/status.h"

namespace tidegate::xds {

// Points into groups that whoever queued it keeps alive until it has been taken.
struct Batch {
  std::vector<const traffic::Resource*> changed;
  std::vector<std::string> removed;

  bool offers_again = false;  // what was refused before

  bool empty() const { return changed.empty() && removed.empty(); }
};

class Delivery {
 public:
  explicit Delivery(traffic::ResourceType type) : type_(type) {}

  // After what is queued already. Empty: does nothing.
  void queue(Batch batch);
  // The batch to send now under this nonce; null while one is unanswered, or there is none. Valid until answered.
  const Batch* take(const std::string& nonce);
  // The proxy's answer to the batch with this nonce; `error`: it refused. False: no such batch is unanswered.
  bool answer(const std::string& nonce, const std::optional<std::string>& error);

  // The unanswered batch; null: there is none.
  const Batch* in_flight() const { return in_flight_ ? &*in_flight_ : nullptr; }
  // Nothing is queued or unanswered.
  bool settled() const { return queued_.empty() && !in_flight_; }
  // Of what was last sent of each object.
  std::vector<Rejection> rejections() const;
  // By resource, as they were last sent: the proxy's words.
  const std::map<std::string, std::string>& refused() const { return refused_; }
  // Of the refused ones the next in turn; nothing has been refused: empty.
  std::string next_to_offer_again();
  // The proxy is to have it no more.
  void forget(const std::string& name) { refused_.erase(name); }
  // Once after something that was offered again was taken.
  bool take_change_of_mind() { return std::exchange(changed_its_mind_, false); }

 private:
  void refuse(Batch batch, const std::string& error);

  const traffic::ResourceType type_;
  std::deque<Batch> queued_;
  std::optional<Batch> in_flight_;
  std::string nonce_;
  std::map<std::string, std::string> refused_;
  std::string last_offered_;
  bool changed_its_mind_ = false;
};

}  // namespace tidegate::xds
