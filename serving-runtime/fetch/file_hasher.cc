#include "serving-runtime/fetch/file_hasher.h"

#include <openssl/evp.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/digest.h"
#include "base/status.h"
#include "base/strings.h"

namespace tidegate::serving {
namespace {

constexpr size_t kReadBytes = 1 << 20;

struct ContextCleanup {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

std::string finish_md5(EVP_MD_CTX* context) {
  unsigned char bytes[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_DigestFinal_ex(context, bytes, &size);
  return base::to_hex({reinterpret_cast<char*>(bytes), size});
}

}  // namespace

struct FileHasher::Digests {
  explicit Digests(bool with_md5) : md5(with_md5 ? EVP_MD_CTX_new() : nullptr) {
    if (md5) EVP_DigestInit_ex(md5.get(), EVP_md5(), nullptr);
  }

  absl::Status update(const DiskFile& file, uint64_t begin, uint64_t end) {
    std::vector<char> buffer(std::min<uint64_t>(kReadBytes, end - begin));
    while (begin < end) {
      const size_t count = std::min<uint64_t>(buffer.size(), end - begin);
      absl::StatusOr<size_t> got = file.read_at(begin, buffer.data(), count);
      if (!got.ok()) return got.status();
      if (*got < count) return absl::DataLossError(base::cat(file.path(), " became shorter while it was read"));
      sha256.update(buffer.data(), count);
      if (md5) EVP_DigestUpdate(md5.get(), buffer.data(), count);
      begin += count;
    }
    return absl::OkStatus();
  }

  base::Sha256 sha256;
  std::unique_ptr<EVP_MD_CTX, ContextCleanup> md5;  // null: not wanted
};

FileHasher::FileHasher(base::Loop& loop, Background& background, std::shared_ptr<const DiskFile> file, bool with_md5)
    : loop_(loop), background_(background), file_(std::move(file)), digests_(std::make_shared<Digests>(with_md5)) {}

FileHasher::~FileHasher() = default;

void FileHasher::advance(uint64_t frontier) {
  frontier_ = std::max(frontier_, frontier);
  start();
}

void FileHasher::start() {
  if (busy_ || hashed_ >= frontier_ || !status_.ok()) return;
  busy_ = true;
  background_.run([self = shared_from_this(), begin = hashed_, end = frontier_] {
    absl::Status status = self->digests_->update(*self->file_, begin, end);
    self->loop_.post([self, status, end] { self->step_done(status, end); });
  });
}

void FileHasher::step_done(absl::Status status, uint64_t end) {
  busy_ = false;
  hashed_ = end;
  status_ = std::move(status);
  start();
  if (!busy_ && waiting_) idle_.set(status_);
}

base::Task<absl::StatusOr<FileHashes>> FileHasher::finish(std::shared_ptr<FileHasher> self, uint64_t size) {
  self->advance(size);
  if (self->busy_) {
    self->waiting_ = true;
    absl::Status status = co_await self->idle_.wait();
    if (!status.ok()) co_return status;
  }
  if (!self->status_.ok()) co_return self->status_;
  std::function<absl::Status()> sync = [file = self->file_] { return file->sync(); };
  absl::Status synced = co_await in_background(self->background_, self->loop_, sync);
  if (!synced.ok()) co_return synced;
  FileHashes hashes;
  hashes.sha256 = base::to_hex(self->digests_->sha256.finish());
  if (self->digests_->md5) hashes.md5 = finish_md5(self->digests_->md5.get());
  co_return hashes;
}

}  // namespace tidegate::serving
