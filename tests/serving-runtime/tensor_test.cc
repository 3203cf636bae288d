#include "serving-runtime/core/tensor.h"

#include <gtest/gtest.h>

#include "serving-runtime/core/half.h"

namespace tidegate::serving {
namespace {

TEST(Half, ConvertsBothWaysRoundingToEven) {
  EXPECT_EQ(float_to_half(1), 0x3c00);
  EXPECT_EQ(float_to_half(65504), 0x7bff);
  EXPECT_EQ(float_to_half(65520), 0x7c00);
  EXPECT_EQ(half_to_float(0x3555), 0.333251953125f);
  EXPECT_EQ(float_to_bfloat16(1), 0x3f80);
  EXPECT_EQ(float_to_bfloat16(1.00390625f), 0x3f80) << "a tie goes to even";
  EXPECT_EQ(bfloat16_to_float(0x4049), 3.140625f);
}

TEST(AlignedBuffer, StaysAlignedWhileItGrows) {
  AlignedBuffer buffer;
  for (int i = 0; i < 10'000; ++i) buffer.push(i);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer.data()) % AlignedBuffer::kAlignment, 0u);
  EXPECT_EQ(buffer.size(), 40'000u);
  EXPECT_EQ(reinterpret_cast<int*>(buffer.data())[9'999], 9'999);
}

}  // namespace
}  // namespace tidegate::serving
