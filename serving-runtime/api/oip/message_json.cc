#include "serving-runtime/api/oip/message_json.h"

#include <google/protobuf/descriptor.h>

#include <string>

namespace tidegate::serving::oip {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using Json = nlohmann::ordered_json;

Json single(const Message& message, const Reflection& reflection, const FieldDescriptor* field) {
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return reflection.GetInt32(message, field);
    case FieldDescriptor::CPPTYPE_INT64:
      return reflection.GetInt64(message, field);
    case FieldDescriptor::CPPTYPE_UINT32:
      return reflection.GetUInt32(message, field);
    case FieldDescriptor::CPPTYPE_UINT64:
      return reflection.GetUInt64(message, field);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return reflection.GetDouble(message, field);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return reflection.GetFloat(message, field);
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection.GetBool(message, field);
    case FieldDescriptor::CPPTYPE_ENUM:
      return reflection.GetEnum(message, field)->name();
    case FieldDescriptor::CPPTYPE_STRING:
      return reflection.GetString(message, field);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return to_json(reflection.GetMessage(message, field));
  }
  return nullptr;
}

Json element(const Message& message, const Reflection& reflection, const FieldDescriptor* field, int index) {
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT64:
      return reflection.GetRepeatedInt64(message, field, index);
    case FieldDescriptor::CPPTYPE_STRING:
      return reflection.GetRepeatedString(message, field, index);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return to_json(reflection.GetRepeatedMessage(message, field, index));
    default:
      return nullptr;  // no message has lists of others
  }
}

}  // namespace

Json to_json(const Message& message) {
  const Reflection& reflection = *message.GetReflection();
  Json json = Json::object();
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = message.GetDescriptor()->field(i);
    if (field->is_repeated()) {
      Json& list = json[field->name()] = Json::array();
      for (int k = 0; k < reflection.FieldSize(message, field); ++k) {
        list.push_back(element(message, reflection, field, k));
      }
    } else if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE || reflection.HasField(message, field)) {
      json[field->name()] = single(message, reflection, field);
    }
  }
  return json;
}

}  // namespace tidegate::serving::oip
