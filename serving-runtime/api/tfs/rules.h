#pragma once
// Where TensorFlow Serving's own flags change what its API answers. One for the whole server; every answer is given
// with it.
#include <absl/time/time.h>

namespace tidegate::serving::tfs {

struct Rules {
  // Classify and Regress take only signatures of that method. Otherwise, as with TensorFlow Serving, any whose inputs
  // and outputs are named as theirs: TensorFlow 2 writes the method "predict" for all.
  bool check_method_names = false;
  // Numbers go into the answers of Predict over gRPC as raw bytes, not as typed fields.
  bool tensor_content = false;
  // A prediction over REST that has waited longer for its turn is not run.
  absl::Duration rest_timeout = absl::InfiniteDuration();
};

}  // namespace tidegate::serving::tfs
