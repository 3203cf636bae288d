#include "base/json_view.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "base/strings.h"

namespace tidegate::base {
namespace {

constexpr const char* kText = R"({"text": "wörter", "empty": "", "count": -7, "big": 18446744073709551615, "part": 0.5,
  "yes": true, "nothing": null, "list": [1, "two", {"three": 3}], "map": {"a": {"b": {"c": "deep"}}}})";

// Everything that can be asked of a view, as text.
std::string told(const JsonView& view) {
  std::string text = cat("type ", static_cast<int>(view.type()), " size ", view.size());
  if (const auto value = view.as_string()) text += cat(" string ", *value);
  if (const auto value = view.as_integer()) text += cat(" integer ", *value);
  if (const auto value = view.as_number()) text += cat(" number ", *value);
  if (const auto value = view.as_bool()) text += cat(" bool ", *value);
  view.each_item([&](const JsonView& item) { text += cat(" [", told(item), "]"); });
  view.each_member([&](std::string_view name, const JsonView& member) {
    text += cat(" {", name, ": ", told(member), " found ", view.find(name).has_value(), "}");
  });
  return text;
}

TEST(JsonView, ReadsBothKindsOfJsonAlike) {
  JsonDocument document;
  const auto tape = document.parse(kText);
  ASSERT_TRUE(tape.ok()) << tape.status();
  // Sorted as nlohmann::json sorts.
  const nlohmann::json tree = nlohmann::json::parse(kText);
  EXPECT_EQ(tape->to_json(), tree);
  for (const auto& [name, member] : tree.items()) {
    const auto found = tape->find(name);
    ASSERT_EQ(found.has_value(), !member.is_null()) << name;
    if (!found || name == "big" || member.is_object()) continue;  // members come in the order of the text
    EXPECT_EQ(told(*found), told(member)) << name;
  }
  EXPECT_EQ(tape->find("big")->as_integer(), std::nullopt) << "larger than 64 bits with a sign";
}

TEST(JsonView, ReadsWhatIsNotThereAsNothing) {
  JsonDocument document;
  const auto tape = document.parse(kText);
  const nlohmann::json tree = nlohmann::json::parse(kText);
  for (const JsonView& view : {*tape, JsonView(tree)}) {
    EXPECT_FALSE(view.find("absent"));
    EXPECT_FALSE(view.find("nothing"));
    EXPECT_FALSE(view.as_string());
    EXPECT_FALSE(view.find("count")->find("x"));
    EXPECT_FALSE(view.find("text")->as_integer());
    EXPECT_FALSE(view.find("part")->as_integer());
  }
  EXPECT_TRUE(JsonView().is_null());
}

TEST(JsonView, SaysWhyATextIsNoJson) {
  JsonDocument document;
  for (const std::string text : {"", "{", "[1,]", "{\"a\" 1}", "\"\xff\"", "nul"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(document.parse(text).status())) << text;
  }
  EXPECT_FALSE(document.parse(std::string(5000, '[')).ok());
  EXPECT_TRUE(document.parse("[]").ok()) << "a document that refused a text takes another";
}

TEST(JsonView, SurvivesTextsThatWereDamaged) {
  SeededRandom random(3);
  JsonDocument document;
  int parsed = 0;
  for (int round = 0; round < 2000; ++round) {
    std::string text = kText;
    for (int i = 0; i < 3; ++i) text[random.next() % text.size()] = static_cast<char>(random.next() % 256);
    const auto view = document.parse(text.substr(0, random.next() % (text.size() + 1)));
    if (view.ok()) parsed += told(*view).empty() ? 0 : 1;
  }
  EXPECT_LT(parsed, 2000);
}

}  // namespace
}  // namespace tidegate::base
