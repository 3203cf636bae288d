#include "xds/delivery.h"

#include <utility>

namespace tidegate::xds {

void Delivery::queue(Batch batch) {
  if (!batch.empty()) queued_.push_back(std::move(batch));
}

const Batch* Delivery::take(const std::string& nonce) {
  if (in_flight_ || queued_.empty()) return nullptr;
  in_flight_ = std::move(queued_.front());
  queued_.pop_front();
  nonce_ = nonce;
  return &*in_flight_;
}

bool Delivery::answer(const std::string& nonce, const std::optional<std::string>& error) {
  if (!in_flight_ || nonce != nonce_) return false;
  Batch batch = *std::exchange(in_flight_, std::nullopt);
  if (error) {
    refuse(std::move(batch), *error);
    return true;
  }
  changed_its_mind_ = changed_its_mind_ || batch.offers_again;
  for (const traffic::Resource* resource : batch.changed) refused_.erase(resource->name);
  for (const std::string& name : batch.removed) refused_.erase(name);
  return true;
}

void Delivery::refuse(Batch batch, const std::string& error) {
  if (batch.changed.size() <= 1) {
    for (const traffic::Resource* resource : batch.changed) refused_[resource->name] = error;
    // Nothing is wrong with what is to be removed.
    if (!batch.changed.empty() && !batch.removed.empty()) queued_.push_front({{}, std::move(batch.removed), false});
    return;
  }
  const auto middle = batch.changed.begin() + static_cast<std::ptrdiff_t>(batch.changed.size() / 2);
  queued_.push_front({{middle, batch.changed.end()}, {}, false});
  queued_.push_front({{batch.changed.begin(), middle}, std::move(batch.removed), false});
}

std::string Delivery::next_to_offer_again() {
  if (refused_.empty()) return "";
  auto next = refused_.upper_bound(last_offered_);
  if (next == refused_.end()) next = refused_.begin();
  return last_offered_ = next->first;
}

std::vector<Rejection> Delivery::rejections() const {
  std::vector<Rejection> rejections;
  for (const auto& [name, message] : refused_) {
    const std::string object = traffic::owner_of(type_, name).to_string();
    if (rejections.empty() || rejections.back().object != object) rejections.push_back({type_, object, message});
  }
  return rejections;
}

}  // namespace tidegate::xds
