#pragma once
// A record of one run, for the tests of what writes records.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "fake_backend.h"
#include "serving-runtime/core/request_record.h"
#include "serving-runtime/recording/record_json.h"

namespace tidegate::serving {

inline std::unique_ptr<RequestRecord> make_record(Tensor input, std::string name = "x") {
  auto record = std::make_unique<RequestRecord>();
  record->max_payload_bytes = 1 << 20;
  record->time = absl::FromUnixMicros(1'700'000'000'123'456);
  record->model = "m";
  record->version = 3;
  record->queued = absl::Microseconds(4);
  record->latency = absl::Microseconds(310);
  record->note_inputs("serving_default", one_input(std::move(name), std::move(input)));
  return record;
}

inline std::string only_line(const RequestRecord& record, NonFinite non_finite = NonFinite::kBare) {
  const std::vector<std::string> lines = record_lines(record, non_finite);
  EXPECT_THAT(lines, testing::SizeIs(1));
  return lines[0];
}

}  // namespace tidegate::serving
