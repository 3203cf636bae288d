#pragma once
// Writes FlatBuffers for tests: a table is a map of field numbers to values, and values are numbers, texts, vectors and
// tables. What a table refers to lies behind it.
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace tidegate::model {

struct FlatNode;
using FlatFields = std::map<int, FlatNode>;

struct FlatNode {
  enum Kind { kNumber, kBytes, kTable, kTables } kind = kNumber;
  std::string bytes;  // of a number, or of a vector's elements
  uint32_t count = 0;
  std::vector<FlatFields> tables;
};

template <class T>
FlatNode flat_number(T value) {
  FlatNode node{FlatNode::kNumber, std::string(sizeof value, 0), 1, {}};
  std::memcpy(node.bytes.data(), &value, sizeof value);
  return node;
}
template <class T>
FlatNode flat_vector(std::vector<T> values) {
  FlatNode node{FlatNode::kBytes, {}, static_cast<uint32_t>(values.size()), {}};
  for (T value : values) node.bytes += flat_number(value).bytes;
  return node;
}
inline FlatNode flat_text(const std::string& text) {
  return {FlatNode::kBytes, text, static_cast<uint32_t>(text.size()), {}};
}
inline FlatNode flat_table(FlatFields fields) { return {FlatNode::kTable, {}, 1, {std::move(fields)}}; }
inline FlatNode flat_tables(std::vector<FlatFields> tables) { return {FlatNode::kTables, {}, 0, std::move(tables)}; }

class FlatBuilder {
 public:
  static std::string build(const FlatFields& root, const std::string& identifier) {
    FlatBuilder builder;
    builder.out_ = std::string(4, 0) + identifier;
    builder.patch(0, builder.write_table(root));
    return builder.out_;
  }

 private:
  void put(const std::string& bytes) { out_ += bytes; }
  // Makes the offset at `from` lead to `to`.
  void patch(size_t from, size_t to) {
    auto distance = static_cast<uint32_t>(to - from);
    std::memcpy(out_.data() + from, &distance, 4);
  }

  size_t write_table(const FlatFields& fields) {
    int last = fields.empty() ? -1 : fields.rbegin()->first;
    std::vector<uint16_t> slots(static_cast<size_t>(last + 1), 0);
    std::string inside(4, 0);
    for (const auto& [number, node] : fields) {
      slots[static_cast<size_t>(number)] = static_cast<uint16_t>(inside.size());
      inside += node.kind == FlatNode::kNumber ? node.bytes : std::string(4, 0);
    }
    size_t vtable = out_.size();
    put(flat_number(static_cast<uint16_t>(4 + 2 * slots.size())).bytes);
    put(flat_number(static_cast<uint16_t>(inside.size())).bytes);
    for (uint16_t slot : slots) put(flat_number(slot).bytes);
    size_t table = out_.size();
    put(inside);
    std::memcpy(out_.data() + table, flat_number(static_cast<int32_t>(table - vtable)).bytes.data(), 4);
    for (const auto& [number, node] : fields) {
      if (node.kind != FlatNode::kNumber) patch(table + slots[static_cast<size_t>(number)], write(node));
    }
    return table;
  }

  size_t write(const FlatNode& node) {
    if (node.kind == FlatNode::kTable) return write_table(node.tables.front());
    size_t begin = out_.size();
    if (node.kind == FlatNode::kBytes) {
      put(flat_number(node.count).bytes + node.bytes);
      return begin;
    }
    put(flat_number(static_cast<uint32_t>(node.tables.size())).bytes + std::string(4 * node.tables.size(), 0));
    for (size_t i = 0; i < node.tables.size(); ++i) patch(begin + 4 + 4 * i, write_table(node.tables[i]));
    return begin;
  }

  std::string out_;
};

}  // namespace tidegate::model
