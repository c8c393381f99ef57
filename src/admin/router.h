// SPDX-License-Identifier: Apache-2.0
// Which admin request gets which page, and who may ask: everything on the unix socket, probes and
// metrics alone over TCP, because whatever runs on this machine (a function, a browser) can reach
// loopback, but not a socket file of mode 0600. No sockets here: requests and responses are values.
// Thread: the control loop's.
#pragma once

#include <weir/message.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "admin/process.h"

namespace weir::admin {

enum class Door : uint8_t { kUnixSocket, kTcp };

struct Request {
  Method method = Method::kGet;
  std::string path;
  std::string query;
  Door door = Door::kTcp;
  std::string who{};  ///< "uid 0": who asks, as far as the socket tells.
};

struct Response {
  std::uint16_t status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  std::string allow;  ///< For 405.
};

class Router {
 public:
  using Later = std::move_only_function<void(Response)>;

  /// `process` outlives it.
  explicit Router(Process& process) : process_(process) {}

  /// The answer; or nothing, and then `later` is called with it, after this has returned.
  std::optional<Response> handle(const Request& request, Later later);

 private:
  using Answer = std::optional<Response>;
  struct Page {
    std::string_view path;
    Method method;
    bool over_tcp;
    std::string_view about;
    Answer (Router::*answer)(const Request&, Later&);
  };
  static std::span<const Page> pages();

  Answer index(const Request&, Later&);
  Answer metrics(const Request&, Later& later);
  Answer healthz(const Request&, Later&);
  Answer readyz(const Request&, Later&);
  Answer region_health(const Request&, Later&);
  Answer breakers(const Request& request, Later& later);
  Answer config(const Request& request, Later& later);
  Answer cells(const Request&, Later& later);
  Answer clusters(const Request&, Later& later);
  Answer failover_groups(const Request&, Later& later);
  Answer stats(const Request&, Later& later);
  Answer routes(const Request&, Later& later);
  Answer reload(const Request&, Later& later);
  Answer drain(const Request&, Later&);
  Answer set(const Request& request, Later&);
  Answer overrides(const Request& request, Later&);
  Answer in_flight(const Request& request, Later&);
  Answer diff(const Request& request, Later& later);
  Answer write_page(Process::Page page, const char* content_type, Later& later);
  Response refuse_over_tcp(const Request& request) const;

  Process& process_;
};

}  // namespace weir::admin
