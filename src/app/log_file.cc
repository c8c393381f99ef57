// SPDX-License-Identifier: Apache-2.0
#include "app/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

namespace weir::app {
namespace {

// A pipe or terminal is opened again, so that it can be non-blocking without making it so for
// everybody who shares it: a reader that has stopped must not keep weir from ending. A regular file
// is not: its offset is shared with standard error.
int open_stdout() {
  struct stat info {};
  if (::fstat(STDOUT_FILENO, &info) != 0) return STDOUT_FILENO;
  if (!S_ISFIFO(info.st_mode) && !S_ISCHR(info.st_mode)) return STDOUT_FILENO;
  const int fd = ::open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
  return fd >= 0 ? fd : STDOUT_FILENO;
}

}  // namespace

std::expected<LogFile, std::string> LogFile::open(const AccessLogConfig& config) {
  LogFile file;
  if (config.sink == AccessLogConfig::Sink::kOff) return file;
  if (config.sink == AccessLogConfig::Sink::kStdout) {
    file.fd_ = open_stdout();
    return file;
  }
  file.path_ = config.path;
  file.fd_ =
      ::open(config.path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
  if (file.fd_ >= 0) return file;
  const int error = errno;
  const char* const hint =
      error == ENOENT   ? "; create its directory, or name another file in access_log.path"
      : error == EACCES ? "; let weir's user write there, or name another file in access_log.path"
                        : "";
  return std::unexpected("the access log " + config.path +
                         " cannot be opened: " + ::strerror(error) + hint);
}

LogFile& LogFile::operator=(LogFile&& other) noexcept {
  if (this == &other) return *this;
  close();
  fd_ = std::exchange(other.fd_, -1);
  path_ = std::move(other.path_);
  return *this;
}

void LogFile::close() {
  if (fd_ > STDERR_FILENO) ::close(fd_);
  fd_ = -1;
}

}  // namespace weir::app
