#pragma once
// Reads FlatBuffers field by field, in place, and follows no offset before it was checked: whatever the bytes are,
// nothing outside them is read and no loop is longer than they justify. Header-only and free of libraries, because the
// litert backend uses it too. Reference: https://flatbuffers.dev/internals/
//
// The first fault is kept; from then on every field reads as absent, so a reader checks ok() once, at its end.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

namespace tidegate::model {

// Where a file is wrong, and how.
struct FileFault {
  uint64_t offset = 0;
  std::string what;
};

class FlatFile {
 public:
  explicit FlatFile(std::string_view bytes) : bytes_(bytes), visits_left_(4 * bytes.size() + kFreeVisits) {}

  bool ok() const { return ok_; }
  const FileFault& fault() const { return fault_; }
  std::string_view bytes() const { return bytes_; }

  void fail(uint64_t offset, std::string what) {
    if (ok_) fault_ = {offset, std::move(what)};
    ok_ = false;
  }
  // Whether `size` bytes at `offset` are in the file; a fault when they are not.
  bool has(uint64_t offset, uint64_t size, const char* what) {
    if (offset <= bytes_.size() && size <= bytes_.size() - offset) return ok_;
    fail(std::min<uint64_t>(offset, bytes_.size()), std::string(what) + " reaches beyond the end of the file");
    return false;
  }
  // Whether something can lie `distance` bytes behind `from`; a fault at `from` when it would be outside of the file.
  bool leads_inside(uint64_t from, uint64_t distance, const char* what) {
    constexpr uint64_t kLeast = 4;  // a table, a vector and a string begin with as many
    if (from + distance + kLeast <= bytes_.size()) return ok_;
    fail(from, std::string(what) + " lies beyond the end of the file");
    return false;
  }
  template <class T>
  T read(uint64_t offset, const char* what) {
    T value{};
    if (has(offset, sizeof(T), what)) std::memcpy(&value, bytes_.data() + offset, sizeof(T));
    return value;
  }
  // Honest files store an element once. Without a limit, a small file whose many tables share one long vector would be
  // read for hours.
  bool visit(uint64_t elements, uint64_t offset) {
    if (elements > visits_left_) fail(offset, "the file refers to the same bytes too often");
    if (ok_) visits_left_ -= elements;
    return ok_;
  }

 private:
  static constexpr uint64_t kFreeVisits = 65536;

  std::string_view bytes_;
  uint64_t visits_left_;
  bool ok_ = true;
  FileFault fault_;
};

// Numbers end to end; empty when the field is absent.
template <class T>
class FlatVector {
 public:
  FlatVector() = default;
  FlatVector(const FlatFile& file, uint64_t begin, uint32_t size) : data_(file.bytes().data() + begin), size_(size) {}
  uint32_t size() const { return size_; }
  T operator[](uint32_t index) const {
    T value;
    std::memcpy(&value, data_ + index * sizeof(T), sizeof(T));
    return value;
  }

 private:
  const char* data_ = nullptr;
  uint32_t size_ = 0;
};

class FlatTables;

class FlatTable {
 public:
  // Absent: all its fields are absent.
  FlatTable() = default;
  FlatTable(FlatFile& file, uint64_t offset) : file_(&file), at_(offset) {
    int64_t vtable = static_cast<int64_t>(at_) - file.read<int32_t>(at_, "a table");
    if (vtable < 0) file.fail(at_, "the table's vtable lies before the file");
    if (!file.ok()) return;
    vtable_ = static_cast<uint64_t>(vtable);
    vtable_size_ = file.read<uint16_t>(vtable_, "a vtable");
    size_ = file.read<uint16_t>(vtable_ + 2, "a vtable");
    if (!file.has(vtable_, vtable_size_, "a vtable") || !file.has(at_, size_, "a table")) return;
    if (vtable_size_ < 4 || size_ < 4) file.fail(vtable_, "the vtable is too small");
  }

  uint64_t offset() const { return at_; }

  template <class T>
  T number(uint32_t field, T otherwise) const {
    uint64_t position = find(field, sizeof(T));
    return position ? file_->read<T>(position, "a field") : otherwise;
  }
  std::string_view text(uint32_t field) const {
    auto [begin, size] = follow(field, 1);
    return begin ? file_->bytes().substr(begin, size) : std::string_view();
  }
  template <class T>
  FlatVector<T> vector(uint32_t field) const {
    auto [begin, size] = follow(field, sizeof(T));
    return begin ? FlatVector<T>(*file_, begin, size) : FlatVector<T>();
  }
  FlatTable table(uint32_t field) const {
    uint64_t target = target_of(field);
    return target && file_->visit(1, target) ? FlatTable(*file_, target) : FlatTable();
  }
  FlatTables tables(uint32_t field) const;

 private:
  // Where the field's value is; 0: absent, or a fault.
  uint64_t find(uint32_t field, uint64_t size) const {
    if (!file_ || !file_->ok()) return 0;
    uint64_t slot = 4 + 2 * uint64_t{field};
    if (slot + 2 > vtable_size_) return 0;
    uint64_t position = file_->read<uint16_t>(vtable_ + slot, "a vtable");
    if (position == 0) return 0;
    if (position + size > size_) {
      file_->fail(vtable_ + slot, "a field lies outside of its table");
      return 0;
    }
    return at_ + position;
  }
  uint64_t target_of(uint32_t field) const {
    uint64_t position = find(field, 4);
    if (!position) return 0;
    uint64_t distance = file_->read<uint32_t>(position, "a field");
    if (!file_->leads_inside(position, distance, "what a field refers to")) return 0;
    if (distance == 0) file_->fail(position, "a field refers to itself");
    return file_->ok() ? position + distance : 0;
  }
  // The first element and the number of elements of a vector or string; {0, 0}: absent, or a fault.
  std::pair<uint64_t, uint32_t> follow(uint32_t field, uint64_t element_size) const {
    uint64_t target = target_of(field);
    if (!target) return {0, 0};
    auto size = file_->read<uint32_t>(target, "a vector");
    if (!file_->has(target + 4, size * element_size, "a vector") || !file_->visit(size, target)) return {0, 0};
    return {target + 4, size};
  }

  FlatFile* file_ = nullptr;
  uint64_t at_ = 0;
  uint64_t vtable_ = 0;
  uint16_t vtable_size_ = 0;
  uint16_t size_ = 0;
};

class FlatTables {
 public:
  FlatTables() = default;
  FlatTables(FlatFile& file, uint64_t begin, uint32_t size) : file_(&file), begin_(begin), size_(size) {}
  uint32_t size() const { return size_; }
  FlatTable operator[](uint32_t index) const {
    uint64_t position = begin_ + uint64_t{4} * index;
    auto distance = file_->read<uint32_t>(position, "a vector");
    return file_->leads_inside(position, distance, "what a vector refers to") ? FlatTable(*file_, position + distance)
                                                                              : FlatTable();
  }

 private:
  FlatFile* file_ = nullptr;
  uint64_t begin_ = 0;
  uint32_t size_ = 0;
};

inline FlatTables FlatTable::tables(uint32_t field) const {
  auto [begin, size] = follow(field, 4);
  return begin ? FlatTables(*file_, begin, size) : FlatTables();
}

}  // namespace tidegate::model
