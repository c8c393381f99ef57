// SPDX-License-Identifier: Apache-2.0
// A connection that carries many exchanges at once (HTTP/2), as its cluster knows it. Linked in its
// worker's endpoint from its birth on while it may take more of them; the connection owns itself
// and its permit, and is outside the idle pool. One thread.
#pragma once

#include <utility>

#include "base/intrusive_list.h"
#include "upstream/permits.h"

namespace weir::upstream {

class SharedConnection : public base::ListLink<> {
 public:
  explicit SharedConnection(ConnectionPermit permit) : permit_(std::move(permit)) {}
  SharedConnection(const SharedConnection&) = delete;
  SharedConnection& operator=(const SharedConnection&) = delete;

  /// Requires: leave_cluster() was not called.
  WorkerEndpoint& endpoint() const { return *permit_; }
  /// Takes one more exchange now.
  virtual bool has_room() const = 0;
  /// Carries none.
  virtual bool idle() const = 0;
  /// Takes no more exchanges and closes after the last; at once if it is idle.
  virtual void retire_shared() = 0;

 protected:
  ~SharedConnection() = default;
  /// Out of every count and list: the first thing to do when the connection closes.
  void leave_cluster() {
    unlink();
    permit_.release();
  }

 private:
  ConnectionPermit permit_;
};

}  // namespace weir::upstream
