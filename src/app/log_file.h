// SPDX-License-Identifier: Apache-2.0
// The descriptor that access log lines go to. A value that owns its descriptor, unless that is
// standard output. Thread: any, one at a time.
#pragma once

#include <weir/config.h>

#include <expected>
#include <string>
#include <utility>

namespace weir::app {

class LogFile {
 public:
  LogFile() = default;
  /// Opens (and creates, 0640) what the config names; `off` is a file that is not open. The error
  /// is a sentence with the path.
  static std::expected<LogFile, std::string> open(const AccessLogConfig& config);
  LogFile(LogFile&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}
  LogFile& operator=(LogFile&& other) noexcept;
  ~LogFile() { close(); }

  int fd() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }
  /// Empty for standard output.
  const std::string& path() const { return path_; }

 private:
  void close();

  int fd_ = -1;
  std::string path_;
};

}  // namespace weir::app
