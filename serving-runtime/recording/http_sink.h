#pragma once
// Records as CloudEvents to an HTTP endpoint: many in one POST (application/cloudevents-batch+json), or, for receivers
// that take no batches, each in one (application/cloudevents+json).
#include <memory>

#include "serving-runtime/recording/event_post.h"
#include "serving-runtime/recording/record_sink.h"

namespace tidegate::serving {

struct HttpSinkOptions {
  PostOptions post;                                // the content type is the sink's to choose
  std::string source;                              // of the events: what tells this server from all others
  bool single = false;                             // an event a POST
  absl::Duration last_seconds = absl::Seconds(3);  // what hurry() leaves
};

// Each event's id is a number that counts from the sink's start, behind the time of that, so that `source` and id
// together are unique. Deliveries run on a loop of its own, in the thread that calls write().
std::unique_ptr<RecordSink> make_http_sink(HttpSinkOptions options);

}  // namespace tidegate::serving
