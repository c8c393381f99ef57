// SPDX-License-Identifier: Apache-2.0
// Moves access log lines from the workers' rings to the file, in writes as large as what waits:
// every 50 ms, and at once when a ring is half full. A slow or broken file costs lines (counted by
// whoever finds the ring full), never a worker's time. The only reader of the rings.
//
// Thread: the constructor's owner calls all of the public part; counters are for everybody.
#pragma once

#include <weir/config.h>

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "app/log_file.h"
#include "app/thread.h"
#include "base/counters.h"
#include "base/log_ring.h"

namespace weir::app {

class LogThread {
 public:
  /// At 800 bytes a line, half of it is what a worker at full speed writes in 10 ms.
  static constexpr size_t kRingBytes = 1 << 20;

  /// One ring for each worker; `file` may be closed (access_log is off). Begins at once.
  LogThread(size_t workers, LogFile file);
  LogThread(const LogThread&) = delete;
  LogThread& operator=(const LogThread&) = delete;
  /// Writes what is left and ends. A file that takes nothing for kPatience is given up.
  ~LogThread();

  base::LogRing* ring(size_t worker) { return rings_[worker].get(); }
  /// Lines written so far go to the old file, or to the new one.
  void change_file(LogFile file);
  /// Opens the same path again (logrotate has moved the file away). Nothing for standard output.
  void reopen();

  uint64_t bytes_written() const { return bytes_written_.value(); }
  /// Bytes that could not be written: a full disk, a closed pipe.
  uint64_t bytes_lost() const { return bytes_lost_.value(); }

 private:
  void run();
  void wait();
  void take_orders();
  void reopen_now();
  void drain(base::LogRing& ring);
  void write_all(std::string_view bytes);
  bool wait_writable();
  void wake();

  std::vector<std::unique_ptr<base::LogRing>> rings_;
  const int wake_fd_;
  base::Counter bytes_written_;
  base::Counter bytes_lost_;
  std::atomic<bool> stopping_{false};

  std::mutex mutex_;  ///< Guards orders.
  std::optional<LogFile> next_file_;
  bool reopen_ = false;

  LogFile file_;          ///< The thread's own.
  bool failing_ = false;  ///< The thread's own: said once until it works again.
  Thread thread_;
};

}  // namespace weir::app
