// SPDX-License-Identifier: Apache-2.0
// Names to addresses with their time to live, over c-ares, which reads /etc/resolv.conf, its search
// domains and /etc/hosts. Never blocks on the network and starts no thread. Keeps nothing: what to
// do with an answer, and when to ask again, is upstream's.
//
// An answer never comes inside the call that asked. Destroying a DnsQuery cancels it. One thread:
// its loop's.
#pragma once

#include <weir/error.h>
#include <weir/units.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/intrusive_list.h"

namespace weir::net {

class Loop;

struct ResolvedAddress {
  IpAddress ip;
  std::chrono::seconds ttl{0};
};

class DnsHandler {
 public:
  /// Not empty, in no particular order, without duplicates; or kDnsFailure with a static `detail`.
  virtual void on_resolved(Result<std::vector<ResolvedAddress>> answer) = 0;

 protected:
  ~DnsHandler() = default;
};

/// One look-up under way at most; a member of whoever asks.
class DnsQuery {
 public:
  explicit DnsQuery(DnsHandler& handler) : handler_(handler) {}
  DnsQuery(const DnsQuery&) = delete;
  DnsQuery& operator=(const DnsQuery&) = delete;
  ~DnsQuery() { cancel(); }

  bool active() const { return request_ != nullptr; }
  /// No answer comes after this.
  void cancel();

 private:
  friend class Resolver;
  DnsHandler& handler_;
  struct DnsRequest* request_ = nullptr;
};

struct ResolverOptions {
  std::string servers;      ///< "127.0.0.1:5353,[::1]:53"; empty: those of /etc/resolv.conf.
  Millis timeout{2'000};    ///< Of one try at one server.
  std::uint32_t tries = 3;  ///< At each server.
};

class Resolver {
 public:
  explicit Resolver(Loop& loop, const ResolverOptions& options = {});
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;
  /// Queries under way are cancelled.
  ~Resolver();

  /// Looks up A and AAAA. Requires: the query is not active.
  void resolve(DnsQuery& query, const std::string& name);

 private:
  struct Channel;
  std::unique_ptr<Channel> channel_;
};

}  // namespace weir::net
