#include "storage/xml.h"

#include <gtest/gtest.h>

namespace tidegate::storage {
namespace {

TEST(Xml, ReadsElementsTextAndEntities) {
  const auto root = parse_xml(
      "\xef\xbb\xbf<?xml version=\"1.0\"?>\n<!-- a > b -->\n"
      "<s:List xmlns:s='http://x/' a=\"</List>\">\n"
      " <Key>a&lt;b&gt;&amp;&quot;&apos;&#65;&#xe9;&#x1F600;</Key><Key>second</Key>"
      "<Empty/><Space > x </Space ><![CDATA[<raw>&amp;]]><Deep><Er>1</Er></Deep>"
      "</s:List>\n");
  ASSERT_TRUE(root.ok()) << root.status();
  EXPECT_EQ(root->name, "List");
  EXPECT_EQ(root->child_text("Key"), "a<b>&\"'A\xc3\xa9\xf0\x9f\x98\x80");
  EXPECT_EQ(root->child_text("Space"), " x ");
  EXPECT_EQ(root->child_text("Empty"), "");
  EXPECT_EQ(root->child_text("Absent"), "");
  EXPECT_EQ(root->child("Deep")->child_text("Er"), "1");
  EXPECT_EQ(root->children.size(), 5u);
  EXPECT_NE(root->text.find("<raw>&amp;"), std::string::npos);
}

TEST(Xml, RefusesWhatIsNotWellFormed) {
  for (const char* text : {"",
                           "text",
                           "<a>",
                           "<a></b>",
                           "<a",
                           "<a/><b/>",
                           "<a/>text",
                           "<a>&nope;</a>",
                           "<a>&#0;</a>",
                           "<a>&#xd800;</a>",
                           "<a>&#x110000;</a>",
                           "<a>&amp</a>",
                           "<a x></a>",
                           "<a x=1/>",
                           "<a x='1/>",
                           "<!-- -",
                           "<a><![CDATA[x</a>",
                           "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
                           "</a>",
                           "<>x</>",
                           "<a:>x</a:>",
                           "<a:b:>x</a:b:>",
                           "<a><b:!--></a>",
                           "<1/>",
                           "<a></a",
                           "\xef\xbb\xbf"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(parse_xml(text).status())) << text;
  }
}

TEST(Xml, RefusesNestingThatWouldExhaustTheStack) {
  std::string deep;
  for (int i = 0; i < 1'000'000; ++i) deep += "<a>";
  const auto root = parse_xml(deep);
  EXPECT_EQ(root.status().message(), "not well-formed XML at byte 96: nested too deeply");
}

}  // namespace
}  // namespace tidegate::storage
