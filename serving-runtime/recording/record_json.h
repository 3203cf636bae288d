#pragma once
// Records as JSON. Each run of the model is a record of its own, in one line, in the form of a request of TensorFlow
// Serving's REST predict, so that `compare` and `bench` can ask another version the same again:
//
//   {"time":"…","model":"digits","version":3,"api":"tfs_rest","code":"OK","queue_us":4,"latency_us":310,
//    "request_id":"…","traceparent":"…","signature_name":"serving_default","inputs":{…},"outputs":{…}}
//
// Over HTTP a record is the data of a CloudEvent (https://github.com/cloudevents/spec, version 1.0, JSON format).
// Pure. Called by the sinks.
#include <string>
#include <string_view>
#include <vector>

#include "serving-runtime/core/request_record.h"

namespace tidegate::serving {

// How numbers that JSON does not have are written.
enum class NonFinite {
  kBare,    // NaN, Infinity, -Infinity, as TensorFlow Serving reads and writes them
  kQuoted,  // "NaN", …, as protobuf's JSON has them, for readers of JSON that is JSON
};

// The record's lines, without their ends: one for each run, or one without tensors when there was none. Instead of
// tensors a line has `payload`: "none" (not wanted, or the request failed before a run), "too_large", or "not_json" for
// types that JSON cannot carry.
std::vector<std::string> record_lines(const RequestRecord& record, NonFinite non_finite);

// `data`, one of record_lines(), in the envelope of a CloudEvent of type dev.tidegate.prediction. The two together must
// be unique: `source`, a URI reference, and `id`.
std::string cloud_event(const RequestRecord& record, std::string_view source, std::string_view id,
                        std::string_view data);

}  // namespace tidegate::serving
