#pragma once
// Downloads one version of a model: lists it, checks that it is what the operator saw, loads its parts in parallel over
// a few connections, resumes what broke, hashes while it loads, and gives the folder its final name when all is whole.
//
// Called by fetch_command.h; nothing in here knows about command lines or Kubernetes.
#include <absl/status/statusor.h>

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/loop.h"
#include "base/random.h"
#include "base/scope.h"
#include "serving-runtime/fetch/background.h"
#include "serving-runtime/fetch/fetch_folders.h"
#include "serving-runtime/fetch/fetch_journal.h"
#include "serving-runtime/fetch/fetch_plan.h"
#include "serving-runtime/fetch/file_hasher.h"
#include "serving-runtime/fetch/progress.h"
#include "storage/model_source.h"
#include "storage/object_store.h"

namespace tidegate::serving {

class FetchJob {
 public:
  // Everything must outlive the job.
  struct Tools {
    storage::ObjectStore& store;
    base::Loop& loop;
    base::Clock& clock;
    base::Random& random;
    Background& background;
    Progress& progress;
  };

  FetchJob(FetchPlan plan, Tools tools, base::Scope& scope);

  // Once. On an error (see fetch_failure_reason for the codes) the partial files stay for the next attempt; CANCELLED
  // when the scope ended.
  base::Task<absl::StatusOr<FetchReport>> run();

 private:
  // A file on its way.
  struct File {
    const storage::ManifestFile* entry = nullptr;
    std::vector<FilePart> parts;
    std::vector<bool> complete;  // by part
    size_t parts_left = 0;
    std::shared_ptr<DiskFile> disk;  // open while parts are being loaded
    std::shared_ptr<FileHasher> hasher;
    bool etag_is_md5 = false;
    bool was_corrupt = false;
    std::string sha256;  // when the file is complete
  };
  struct PartOrder {
    size_t file;
    size_t part;
  };

  base::Task<absl::StatusOr<storage::Manifest>> read_source();
  base::Task<absl::StatusOr<storage::Manifest>> list_source();
  base::Task<absl::Status> take_lock();
  base::Task<absl::Status> download();
  base::Task<void> run_lane();
  base::Task<absl::Status> load_part(PartOrder order);
  base::Task<absl::Status> request_part(PartOrder order, uint64_t* received);
  base::Task<absl::Status> wait_before_retry(int failures, absl::Status why);
  base::Task<absl::Status> finish_part(PartOrder order);
  base::Task<absl::Status> finish_file(size_t index);
  absl::Status restore_from_journal();
  absl::Status restore_file(File& file);
  void enqueue_missing(size_t index);
  absl::Status check_room(uint64_t missing_bytes) const;
  absl::Status make_empty_files();
  absl::Status open_file(File& file);
  void advance_hasher(File& file);
  absl::Status load_again(size_t index, std::string_view why);
  void end_with(absl::Status status);
  FetchReport report() const;
  std::string path_on_disk(const File& file) const;

  FetchPlan plan_;
  Tools tools_;
  FetchFolders folders_;
  base::Scope scope_;
  storage::Manifest manifest_;
  DiskFile lock_;
  FetchJournal journal_;
  std::vector<File> files_;
  std::deque<PartOrder> queue_;
  uint64_t resumed_bytes_ = 0;
  absl::Duration last_byte_;  // clock.uptime() when anything last arrived
  absl::Status error_;        // the first one
  int lanes_ = 0;
  base::Promise<bool> lanes_ended_;
};

}  // namespace tidegate::serving
