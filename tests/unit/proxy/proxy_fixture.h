// SPDX-License-Identifier: Apache-2.0
// A worker of the data path with real sockets on loopback, and a client and an origin that speak
// raw bytes. The worker runs on a thread of its own; client and origin block on the test's thread,
// with a deadline on every wait.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "base/log_ring.h"
#include "net/loop.h"
#include "net/resolver.h"
#include "proxy/snapshot.h"
#include "proxy/worker.h"
#include "upstream/cluster_manager.h"

namespace weir::proxy {

/// A blocking socket with a deadline of five seconds on each read.
class Wire {
 public:
  explicit Wire(int fd = -1);
  Wire(Wire&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Wire& operator=(Wire&& other) noexcept;
  ~Wire() { close(); }

  static Wire connect(uint16_t port);
  void send(std::string_view bytes);
  /// Reads until `end` has been seen, the peer closes, or the deadline passes; returns all of it.
  std::string read_until(std::string_view end);
  std::string read_exactly(size_t bytes);
  /// What one read gives: a small message that was sent in one piece.
  std::string read_some();
  /// Everything up to the peer's end.
  std::string read_all();
  void finish_writing();
  void close();
  void reset();
  bool open() const { return fd_ >= 0; }
  /// The last read found a reset, not an end.
  bool was_reset() const { return was_reset_; }

 private:
  int fd_;
  bool was_reset_ = false;
};

/// A listening socket on a port of the kernel's choice.
class Origin {
 public:
  Origin();
  ~Origin();
  uint16_t port() const { return port_; }
  Wire accept();

 private:
  int fd_;
  uint16_t port_ = 0;
};

class ProxyTest : public ::testing::Test {
 protected:
  ProxyTest();
  ~ProxyTest() override;

  /// Starts the worker (first call) or reloads it. `routes_and_clusters` is YAML below a listener.
  void serve(const std::string& routes_and_clusters, const std::string& http1 = "");
  Wire client() { return Wire::connect(port_); }
  /// Stops the worker and returns what it logged, one JSON object a line.
  std::string stop();
  Worker& worker() { return *worker_; }
  const ListenerStats& stats() const { return *listener_->stats[0]; }
  std::string cluster_yaml(const Origin& origin, const std::string& more = "");

 private:
  /// Of one worker: its letters are to itself.
  struct Office final : policy::PlaceOffice {
    uint32_t workers() const override { return 1; }
    void post(uint32_t, policy::PlaceLetter letter) override {
      (*worker)->deliver(std::move(letter));
    }
    std::unique_ptr<Worker>* worker = nullptr;
  };

  SystemClock clock_;
  Office office_;
  policy::LimitRegistry limits_{office_, clock_, {1, 2}};
  policy::ReleaseLedger releases_{1};
  net::Loop control_;
  net::Resolver resolver_;
  upstream::ClusterManager clusters_;
  base::LogRing ring_{1 << 20};
  policy::MirrorBudget mirrors_;
  std::shared_ptr<SharedListener> listener_;
  std::unique_ptr<Worker> worker_;
  std::thread thread_;
  uint16_t port_ = 0;
  uint64_t version_ = 0;
};

}  // namespace weir::proxy
