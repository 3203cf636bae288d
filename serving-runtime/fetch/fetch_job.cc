#include "serving-runtime/fetch/fetch_job.h"

#include <absl/strings/ascii.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/digest.h"
#include "base/log.h"
#include "base/status.h"
#include "base/strings.h"

namespace tidegate::serving {
namespace {

using base::cat;

// A listing's errors, told apart from those of a download that has begun.
absl::Status source_error(const absl::Status& status) {
  // Keys that cannot be files, too many of them: neither a change nor a full disk.
  if (absl::IsFailedPrecondition(status) || absl::IsResourceExhausted(status)) {
    return absl::InvalidArgumentError(status.message());
  }
  return status;
}

// The version was listed, so its objects were there: what is missing or shorter now has changed or is damaged.
absl::Status part_error(const absl::Status& status) {
  if (absl::IsNotFound(status)) return absl::FailedPreconditionError(cat(status.message(), " (it was listed before)"));
  if (absl::IsOutOfRange(status)) return absl::DataLossError(status.message());
  return status;
}

bool may_succeed_later(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status);
}

}  // namespace

FetchJob::FetchJob(FetchPlan plan, Tools tools, base::Scope& scope)
    : plan_(std::move(plan)), tools_(tools), folders_(plan_.destination), scope_(scope) {}

base::Task<absl::StatusOr<FetchReport>> FetchJob::run() {
  if (auto finished = folders_.find_finished(plan_.source_digest)) co_return *finished;
  absl::StatusOr<storage::Manifest> manifest = co_await read_source();
  if (!manifest.ok()) co_return manifest.status();
  manifest_ = *std::move(manifest);
  absl::Status locked = co_await take_lock();
  if (!locked.ok()) co_return locked;
  // Whoever held the lock may have done the work.
  if (auto finished = folders_.find_finished(plan_.source_digest)) co_return *finished;
  absl::Status downloaded = co_await download();
  tools_.progress.finish();
  if (!downloaded.ok()) co_return downloaded;

  storage::Manifest complete = manifest_;
  for (size_t i = 0; i < files_.size(); ++i) complete.files[i].sha256 = files_[i].sha256;
  absl::StatusOr<std::string> digest = storage::content_digest(complete);
  if (!digest.ok()) co_return digest.status();
  FetchReport result = report();
  result.content_digest = *digest;
  absl::Status published = folders_.publish(plan_.source_digest, result);
  if (!published.ok()) co_return published;
  co_return result;
}

base::Task<absl::StatusOr<storage::Manifest>> FetchJob::read_source() {
  absl::StatusOr<storage::Manifest> manifest = co_await list_source();
  if (!manifest.ok()) co_return source_error(manifest.status());
  if (absl::Status status = check_paths_are_compatible(*manifest); !status.ok()) co_return status;
  const std::string digest = storage::source_digest(*manifest);
  if (plan_.source_digest.empty()) plan_.source_digest = digest;
  if (digest != plan_.source_digest) {
    co_return absl::FailedPreconditionError(
        cat("the files under '", plan_.prefix, "' in ", tools_.store.describe(),
            " are not those that were chosen: their source digest is ", digest, " instead of ", plan_.source_digest,
            "; a version must not be overwritten, so upload it under a new number"));
  }
  co_return manifest;
}

// A store that is not there yet is waited for, as one that goes away later is.
base::Task<absl::StatusOr<storage::Manifest>> FetchJob::list_source() {
  last_byte_ = tools_.clock.uptime();
  for (int failures = 1;; ++failures) {
    absl::StatusOr<storage::Manifest> manifest = co_await storage::read_manifest(tools_.store, plan_.prefix, scope_);
    if (manifest.ok() || !may_succeed_later(manifest.status())) co_return manifest;
    absl::Status waited = co_await wait_before_retry(failures, manifest.status());
    if (!waited.ok()) co_return waited;
  }
}

base::Task<absl::Status> FetchJob::take_lock() {
  if (absl::Status made = make_directories(folders_.partial_parent()); !made.ok()) co_return made;
  absl::StatusOr<DiskFile> lock = DiskFile::open(folders_.lock(plan_.source_digest));
  if (!lock.ok()) co_return lock.status();
  lock_ = *std::move(lock);
  for (bool told = false;; told = true) {
    absl::StatusOr<bool> locked = lock_.try_lock();
    if (!locked.ok() || *locked) co_return locked.status();
    if (!told) base::log_info("another fetch is loading the same files; waiting for it", {{"lock", lock_.path()}});
    absl::Status slept = co_await base::sleep_for(tools_.clock, absl::Milliseconds(200), scope_);
    if (!slept.ok()) co_return slept;
  }
}

base::Task<absl::Status> FetchJob::download() {
  if (absl::Status status = restore_from_journal(); !status.ok()) co_return status;
  if (absl::Status status = make_empty_files(); !status.ok()) co_return status;
  const uint64_t total = manifest_.bytes();
  if (absl::Status status = check_room(total - resumed_bytes_); !status.ok()) co_return status;
  tools_.progress.start(total, resumed_bytes_);
  last_byte_ = tools_.clock.uptime();
  lanes_ = std::max(1, std::min<int>(plan_.connections, static_cast<int>(queue_.size())));
  for (int i = lanes_; i > 0; --i) tools_.loop.spawn(run_lane());
  co_await lanes_ended_.wait();
  co_return error_;
}

// Takes over what the journal knows to be on disk and queues the rest, file by file.
absl::Status FetchJob::restore_from_journal() {
  const std::string partial = folders_.partial(plan_.source_digest), journal = folders_.journal(plan_.source_digest);
  // Nothing vouches for what is there then: it may be what a finished download has replaced.
  if (std::error_code error; !std::filesystem::exists(journal, error)) TG_RETURN_IF_ERROR(remove_tree(partial));
  TG_RETURN_IF_ERROR(make_directories(partial));
  TG_ASSIGN_OR_RETURN(journal_, FetchJournal::open(journal, plan_.source_digest));
  files_.resize(manifest_.files.size());
  for (size_t i = 0; i < files_.size(); ++i) {
    files_[i].entry = &manifest_.files[i];
    TG_RETURN_IF_ERROR(restore_file(files_[i]));
    enqueue_missing(i);
  }
  return absl::OkStatus();
}

absl::Status FetchJob::restore_file(File& file) {
  file.parts = cut_into_parts(file.entry->size, plan_.part_bytes);
  file.complete.assign(file.parts.size(), false);
  file.parts_left = file.parts.size();
  const auto known = journal_.files().find(file.entry->path);
  if (known == journal_.files().end()) return absl::OkStatus();
  std::error_code error;
  const uint64_t on_disk = std::filesystem::file_size(path_on_disk(file), error);
  // Struck out, or the next attempt would believe it of the file that is begun in its place, which has its size.
  if (error || on_disk != file.entry->size) return journal_.drop_file(file.entry->path);
  file.sha256 = known->second.sha256;
  file.etag_is_md5 = known->second.etag_is_md5;
  for (size_t part = 0; part < file.parts.size(); ++part) {
    const auto had = known->second.parts.find(file.parts[part].offset);
    if (had == known->second.parts.end() || had->second != file.parts[part].length) continue;
    file.complete[part] = true;
    --file.parts_left;
  }
  return absl::OkStatus();
}

void FetchJob::enqueue_missing(size_t index) {
  const File& file = files_[index];
  if (!file.sha256.empty()) {
    resumed_bytes_ += file.entry->size;
    return;
  }
  for (size_t part = 0; part < file.parts.size(); ++part) {
    if (file.complete[part]) resumed_bytes_ += file.parts[part].length;
    // A file whose parts are all there was not finished; its last part's order finishes it.
    if (!file.complete[part] || (file.parts_left == 0 && part + 1 == file.parts.size()))
      queue_.push_back({index, part});
  }
}

absl::Status FetchJob::check_room(uint64_t missing_bytes) const {
  TG_ASSIGN_OR_RETURN(const uint64_t room, free_bytes(folders_.partial_parent()));
  if (room >= missing_bytes) return absl::OkStatus();
  return absl::ResourceExhaustedError(cat("the model needs ", format_bytes(static_cast<double>(missing_bytes)),
                                          " more, but only ", format_bytes(static_cast<double>(room)),
                                          " are free where ", plan_.destination, " is"));
}

absl::Status FetchJob::make_empty_files() {
  for (File& file : files_) {
    if (file.entry->size > 0) continue;
    TG_RETURN_IF_ERROR(open_file(file));
    TG_RETURN_IF_ERROR(file.disk->resize(0));
    file.disk.reset();
    file.sha256 = base::sha256_hex("");
  }
  return absl::OkStatus();
}

std::string FetchJob::path_on_disk(const File& file) const {
  return cat(folders_.partial(plan_.source_digest), "/", file.entry->path);
}

absl::Status FetchJob::open_file(File& file) {
  if (file.disk) return absl::OkStatus();
  const std::string path = path_on_disk(file);
  TG_RETURN_IF_ERROR(make_directories(std::filesystem::path(path).parent_path().string()));
  TG_ASSIGN_OR_RETURN(DiskFile disk, DiskFile::open(path));
  TG_RETURN_IF_ERROR(disk.resize(file.entry->size));
  file.disk = std::make_shared<DiskFile>(std::move(disk));
  const bool may_be_md5 = file.entry->etag.size() == 32;  // the answers' headers will tell
  file.hasher = std::make_shared<FileHasher>(tools_.loop, tools_.background, file.disk, may_be_md5);
  advance_hasher(file);
  return absl::OkStatus();
}

// One connection's worth of work: part after part until there is none.
base::Task<void> FetchJob::run_lane() {
  while (!queue_.empty() && error_.ok()) {
    const PartOrder order = queue_.front();
    queue_.pop_front();
    absl::Status status = co_await load_part(order);
    if (!status.ok()) end_with(status);
  }
  if (--lanes_ == 0) lanes_ended_.set(true);
}

void FetchJob::end_with(absl::Status status) {
  if (!error_.ok()) return;
  error_ = std::move(status);
  scope_.cancel();
}

base::Task<absl::Status> FetchJob::load_part(PartOrder order) {
  File& file = files_[order.file];
  if (absl::Status status = open_file(file); !status.ok()) co_return status;
  uint64_t received = file.complete[order.part] ? file.parts[order.part].length : 0;
  for (int failures = 0; received < file.parts[order.part].length;) {
    const uint64_t before = received;
    absl::Status status = co_await request_part(order, &received);
    if (status.ok()) break;
    if (!may_succeed_later(status)) co_return part_error(status);
    failures = received > before ? 1 : failures + 1;
    absl::Status waited = co_await wait_before_retry(failures, status);
    if (!waited.ok()) co_return waited;
  }
  absl::Status finished = co_await finish_part(order);
  co_return finished;
}

// Asks for what is missing of the part. `*received` counts what is on disk of it, also when an error ends the request.
base::Task<absl::Status> FetchJob::request_part(PartOrder order, uint64_t* received) {
  File& file = files_[order.file];
  const FilePart part = file.parts[order.part];
  auto write_error = std::make_shared<absl::Status>();
  storage::GetRequest request;
  request.key = cat(plan_.prefix.empty() || plan_.prefix.ends_with('/') ? plan_.prefix : cat(plan_.prefix, "/"),
                    file.entry->path);
  request.offset = part.offset + *received;
  request.length = part.length - *received;
  request.if_match = file.entry->etag;
  request.stall_timeout = plan_.stall_timeout;
  request.on_chunk = [this, disk = file.disk, part, received, write_error](std::string_view bytes) {
    if (*received + bytes.size() > part.length) {
      *write_error = absl::DataLossError(cat(disk->path(), ": the store sent more bytes than were asked for"));
    } else {
      *write_error = disk->write_at(part.offset + *received, bytes);
    }
    if (!write_error->ok()) return false;
    *received += bytes.size();
    last_byte_ = tools_.clock.uptime();
    tools_.progress.add(bytes.size());
    return true;
  };
  absl::StatusOr<storage::ObjectInfo> info = co_await tools_.store.get(std::move(request), scope_);
  if (!write_error->ok()) co_return *write_error;
  if (!info.ok()) co_return info.status();
  if (info->size != file.entry->size) {
    co_return absl::DataLossError(cat("'", file.entry->path, "' has ", info->size, " bytes in the store, but ",
                                      file.entry->size, " in its listing"));
  }
  file.etag_is_md5 = info->etag_is_md5;
  co_return absl::OkStatus();
}

base::Task<absl::Status> FetchJob::wait_before_retry(int failures, absl::Status why) {
  if (tools_.clock.uptime() - last_byte_ >= plan_.give_up_after) {
    co_return base::annotate(
        why, cat("nothing has arrived for ", absl::FormatDuration(plan_.give_up_after), "; what is there stays"));
  }
  absl::Duration wait = plan_.initial_backoff;
  for (int i = 1; i < failures && wait < plan_.max_backoff; ++i) wait *= 2;
  wait = std::min(wait, plan_.max_backoff) * tools_.random.uniform();
  base::log_warning("the store failed; what is missing will be asked for again",
                    {{"error", why}, {"wait", absl::FormatDuration(wait)}});
  absl::Status slept = co_await base::sleep_for(tools_.clock, wait, scope_);
  co_return slept;
}

base::Task<absl::Status> FetchJob::finish_part(PartOrder order) {
  File& file = files_[order.file];
  if (!file.complete[order.part]) {
    // A file of one part is journaled as a whole, after its only sync.
    if (file.parts.size() > 1) {
      std::function<absl::Status()> sync = [disk = file.disk] { return disk->sync(); };
      absl::Status synced = co_await in_background(tools_.background, tools_.loop, sync);
      if (!synced.ok()) co_return synced;
      const FilePart& part = file.parts[order.part];
      absl::Status noted = journal_.add_part(file.entry->path, part.offset, part.length, file.etag_is_md5);
      if (!noted.ok()) co_return noted;
    }
    file.complete[order.part] = true;
    --file.parts_left;
    advance_hasher(file);
  }
  if (file.parts_left > 0) co_return absl::OkStatus();
  absl::Status finished = co_await finish_file(order.file);
  co_return finished;
}

// The hasher may read up to the first part that is missing.
void FetchJob::advance_hasher(File& file) {
  size_t front = 0;
  while (front < file.parts.size() && file.complete[front]) ++front;
  if (front > 0) file.hasher->advance(file.parts[front - 1].offset + file.parts[front - 1].length);
}

base::Task<absl::Status> FetchJob::finish_file(size_t index) {
  File& file = files_[index];
  absl::StatusOr<FileHashes> hashes = co_await FileHasher::finish(file.hasher, file.entry->size);
  if (!hashes.ok()) co_return hashes.status();
  file.disk.reset();
  file.hasher.reset();
  // Some stores write hexadecimal digits large.
  if (file.etag_is_md5 && hashes->md5 != absl::AsciiStrToLower(file.entry->etag)) {
    absl::Status again = load_again(index, cat("its MD5 is ", hashes->md5, " instead of ", file.entry->etag));
    co_return again;
  }
  file.sha256 = hashes->sha256;
  absl::Status noted = journal_.add_file(file.entry->path, file.sha256);
  co_return noted;
}

// A flipped bit on the way is loaded once more; twice the same is the store's.
absl::Status FetchJob::load_again(size_t index, std::string_view why) {
  File& file = files_[index];
  TG_RETURN_IF_ERROR(journal_.drop_file(file.entry->path));
  if (std::exchange(file.was_corrupt, true)) {
    return absl::DataLossError(cat("'", file.entry->path, "' under '", plan_.prefix, "' in ", tools_.store.describe(),
                                   " is corrupt: ", why, ", twice"));
  }
  base::log_warning("a file arrived corrupt; loading it again", {{"path", file.entry->path}, {"why", why}});
  file.complete.assign(file.parts.size(), false);
  file.parts_left = file.parts.size();
  tools_.progress.subtract(file.entry->size);
  for (size_t part = file.parts.size(); part-- > 0;) queue_.push_front({index, part});
  return absl::OkStatus();
}

FetchReport FetchJob::report() const {
  return {.bytes = manifest_.bytes(), .files = manifest_.files.size(), .resumed_bytes = resumed_bytes_};
}

}  // namespace tidegate::serving
