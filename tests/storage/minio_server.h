#pragma once
// A real MinIO for tests: its own data, a loopback port of its own, gone with the object.
#include <sys/types.h>

#include <string>

#include "base/scratch_folder.h"
#include "storage/s3_object_store.h"

namespace tidegate::storage {

class MinioServer {
 public:
  static constexpr char kUser[] = "tidegate-test";
  static constexpr char kPassword[] = "tidegate-secret";

  // Starts the server with one empty bucket and waits until it answers. A missing binary fails the test with a word on
  // how to get it; then started() is false.
  explicit MinioServer(const std::string& bucket);
  ~MinioServer();
  MinioServer(const MinioServer&) = delete;
  MinioServer& operator=(const MinioServer&) = delete;

  bool started() const { return pid_ > 0; }
  // kill -9, and the same data on the same port again.
  void kill();
  void restart();

  int port() const { return port_; }
  std::string endpoint() const;
  S3Options options() const;
  // Where MinIO keeps its objects.
  std::string directory() const { return directory_.string(); }

 private:
  bool start();
  bool answers() const;

  const base::ScratchFolder directory_;
  int port_ = 0;
  pid_t pid_ = 0;
};

}  // namespace tidegate::storage
