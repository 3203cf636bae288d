#pragma once
// A model that answers what it was asked, for targets that go through a whole front end: whatever a client sends can
// then be compared with what it gets.
#include "serving-runtime/core/servable_table.h"

namespace tidegate::fuzz {

// Version 7, labelled "stable", of the model "echo". Its signatures: serving_default (a: float, b: int64, c: string),
// "text_first" (a: string, b: float), one for each type by TensorFlow's name (x), "bytes" (x_bytes: string, which REST
// shows as base64), "classify" and "regress" (inputs: tf.Example). Outputs are called as the inputs are.
const serving::ServableTable& echo_table();
const serving::Servable& echo();
// What is sent can be compared with what is answered by making the table the directory's.
void serve_echo(serving::ServableDirectory& directory);

}  // namespace tidegate::fuzz
