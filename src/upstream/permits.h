// SPDX-License-Identifier: Apache-2.0
// What an exchange holds of a cluster while it needs it. Move-only, one word, given back exactly
// once: by release() or by the destructor. A permit keeps the worker's view that it names alive.
// One thread: given back on the worker that took it.
//
//   RequestPermit     one of the cluster's requests in flight: admission to the exchange's end
//   RetryPermit       a place in the retry budget: the decision to retry to that attempt's end
//   EndpointHold      an endpoint chosen for one attempt, busy until the attempt ends
//   ConnectionPermit  a place for one connection to one endpoint: before connect() to close()
#pragma once

#include <utility>

namespace weir::upstream {

class WorkerCluster;
class WorkerEndpoint;

struct RequestKind {};
struct RetryKind {};
struct HoldKind {};
struct ConnectionKind {};

// What release() does, by what is given back (worker_cluster.cc).
void give_back(WorkerCluster& cluster, RequestKind);
void give_back(WorkerCluster& cluster, RetryKind);
void give_back(WorkerEndpoint& endpoint, HoldKind);
void give_back(WorkerEndpoint& endpoint, ConnectionKind);

template <typename Of, typename Kind>
class Permit {
 public:
  Permit() = default;
  Permit(Permit&& other) noexcept : of_(std::exchange(other.of_, nullptr)) {}
  Permit& operator=(Permit&& other) noexcept {
    if (this != &other) {
      release();
      of_ = std::exchange(other.of_, nullptr);
    }
    return *this;
  }
  ~Permit() { release(); }

  explicit operator bool() const { return of_ != nullptr; }
  /// Requires: held.
  Of& operator*() const { return *of_; }
  Of* operator->() const { return of_; }
  /// Harmless when repeated.
  void release() {
    if (Of* of = std::exchange(of_, nullptr)) give_back(*of, Kind{});
  }

 private:
  friend class WorkerCluster;
  explicit Permit(Of& of) : of_(&of) {}
  Of* of_ = nullptr;
};

using RequestPermit = Permit<WorkerCluster, RequestKind>;
using RetryPermit = Permit<WorkerCluster, RetryKind>;
using EndpointHold = Permit<WorkerEndpoint, HoldKind>;
using ConnectionPermit = Permit<WorkerEndpoint, ConnectionKind>;

}  // namespace weir::upstream
