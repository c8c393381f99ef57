// SPDX-License-Identifier: Apache-2.0
#include "net/resolver.h"

#include <ares.h>
#include <netinet/in.h>
#include <sys/time.h>
#include <uv.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/check.h"
#include "net/loop.h"

namespace weir::net {

/// A look-up that c-ares knows of. c-ares cannot cancel one query, so this block outlives a
/// cancelled DnsQuery and is freed when c-ares lets go of it.
struct DnsRequest : base::ListLink<> {
  DnsRequest(Loop& its_loop, DnsQuery& asker, DnsHandler& its_handler)
      : loop(its_loop), query(&asker), handler(its_handler) {}
  void deliver();
  /// Takes what c-ares says, which may be inside resolve(): the handler hears of it later.
  void settle(Result<std::vector<ResolvedAddress>> result) {
    answer = std::move(result);
    loop.arm(delivery, Duration::zero());
  }

  Loop& loop;
  DnsQuery* query;  ///< Null: cancelled.
  DnsHandler& handler;
  std::optional<Result<std::vector<ResolvedAddress>>> answer;  ///< Set: c-ares has let go.
  Timer delivery{timer_callback<&DnsRequest::deliver>(this)};
};

struct Resolver::Channel {
  struct Watcher {
    uv_poll_t poll;
    Channel* owner;
    ares_socket_t fd;
  };

  explicit Channel(Loop& owner_loop) : loop(owner_loop) {}
  void open(const ResolverOptions& options);
  void close();
  void watch(ares_socket_t fd, int events);
  void process(ares_socket_t readable, ares_socket_t writable);
  void on_timeout() { process(ARES_SOCKET_BAD, ARES_SOCKET_BAD); }

  Loop& loop;
  ares_channel ares = nullptr;  ///< Null: c-ares could not start, and every answer says so.
  std::unordered_map<ares_socket_t, Watcher*> watchers;
  Timer timeout{timer_callback<&Channel::on_timeout>(this)};
  base::IntrusiveList<DnsRequest> requests;
};

namespace {

// c-ares orders its answers, and then each needs a socket; the balancer wants no order.
constexpr int kAddressFlags = ARES_AI_NOSORT;

ResolvedAddress from_node(const ares_addrinfo_node& node, int alias_ttl) {
  ResolvedAddress out;
  out.ttl = std::chrono::seconds(std::max(0, std::min(node.ai_ttl, alias_ttl)));
  if (node.ai_family == AF_INET6) {
    out.ip.is_v6 = true;
    const auto* sin6 = reinterpret_cast<const sockaddr_in6*>(node.ai_addr);
    std::memcpy(out.ip.bytes.data(), &sin6->sin6_addr, 16);
  } else {
    const auto* sin = reinterpret_cast<const sockaddr_in*>(node.ai_addr);
    std::memcpy(out.ip.bytes.data(), &sin->sin_addr, 4);
  }
  return out;
}

Result<std::vector<ResolvedAddress>> to_answer(int status, const ares_addrinfo* info) {
  if (status != ARES_SUCCESS) return fail(ErrorCode::kDnsFailure, ares_strerror(status));
  // An answer holds no longer than the alias that led to it.
  int alias_ttl = INT32_MAX;
  for (const auto* alias = info->cnames; alias != nullptr; alias = alias->next) {
    alias_ttl = std::min(alias_ttl, alias->ttl);
  }
  std::vector<ResolvedAddress> out;
  for (const auto* node = info->nodes; node != nullptr; node = node->ai_next) {
    if (node->ai_family != AF_INET && node->ai_family != AF_INET6) continue;
    const ResolvedAddress address = from_node(*node, alias_ttl);
    const bool known =
        std::ranges::any_of(out, [&](const auto& other) { return other.ip == address.ip; });
    if (!known) out.push_back(address);
  }
  if (out.empty()) return fail(ErrorCode::kDnsFailure, ares_strerror(ARES_ENODATA));
  return out;
}

}  // namespace

void DnsRequest::deliver() {
  DnsHandler& to = handler;
  auto result = std::move(*answer);
  query->cancel();  // Frees this: the handler may ask again at once.
  to.on_resolved(std::move(result));
}

void DnsQuery::cancel() {
  DnsRequest* const request = std::exchange(request_, nullptr);
  if (request == nullptr) return;
  request->query = nullptr;
  if (request->answer) delete request;
}

void Resolver::Channel::open(const ResolverOptions& options) {
  CHECK(ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS);
  ares_options ares_opts{};
  ares_opts.timeout = static_cast<int>(options.timeout.count());
  ares_opts.tries = static_cast<int>(options.tries);
  char lookups[] = "fb";  // /etc/hosts first, as the C library does by default.
  ares_opts.lookups = lookups;
  ares_opts.sock_state_cb_data = this;
  ares_opts.sock_state_cb = [](void* self, ares_socket_t fd, int readable, int writable) {
    const int events = (readable != 0 ? UV_READABLE : 0) | (writable != 0 ? UV_WRITABLE : 0);
    static_cast<Channel*>(self)->watch(fd, events);
  };
  int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB;
  // The machine's search domains are meant for the machine's servers.
  if (!options.servers.empty()) mask |= ARES_OPT_DOMAINS;
  if (ares_init_options(&ares, &ares_opts, mask) != ARES_SUCCESS) {
    ares = nullptr;
    return;
  }
  if (!options.servers.empty() &&
      ares_set_servers_ports_csv(ares, options.servers.c_str()) != ARES_SUCCESS) {
    ares_destroy(std::exchange(ares, nullptr));
  }
}

void Resolver::Channel::close() {
  requests.for_each([](DnsRequest& request) {
    if (request.query != nullptr) request.query->cancel();
  });
  // Calls back for each request that is left, which frees them, and closes the watchers.
  if (ares != nullptr) ares_destroy(ares);
  ares_library_cleanup();
  CHECK(requests.empty() && watchers.empty());
}

void Resolver::Channel::watch(ares_socket_t fd, int events) {
  const auto found = watchers.find(fd);
  if (events == 0) {
    if (found == watchers.end()) return;
    Watcher* const watcher = found->second;
    watchers.erase(found);
    uv_poll_stop(&watcher->poll);
    uv_close(reinterpret_cast<uv_handle_t*>(&watcher->poll),
             [](uv_handle_t* handle) { delete static_cast<Watcher*>(handle->data); });
    return;
  }
  Watcher* watcher = nullptr;
  if (found != watchers.end()) {
    watcher = found->second;
  } else {
    watcher = new Watcher{.poll = {}, .owner = this, .fd = fd};
    // Only a descriptor that cannot be polled fails here, and c-ares opens sockets alone.
    CHECK(uv_poll_init(loop.uv(), &watcher->poll, fd) == 0);
    watcher->poll.data = watcher;
    watchers.emplace(fd, watcher);
  }
  uv_poll_start(&watcher->poll, events, [](uv_poll_t* poll, int status, int ready) {
    const auto* self = static_cast<const Watcher*>(poll->data);
    const bool failed = status < 0;
    self->owner->process(failed || (ready & UV_READABLE) != 0 ? self->fd : ARES_SOCKET_BAD,
                         failed || (ready & UV_WRITABLE) != 0 ? self->fd : ARES_SOCKET_BAD);
  });
}

void Resolver::Channel::process(ares_socket_t readable, ares_socket_t writable) {
  ares_process_fd(ares, readable, writable);
  timeval wait{};
  if (ares_timeout(ares, nullptr, &wait) == nullptr) {
    timeout.cancel();
    return;
  }
  loop.arm_at(timeout, loop.clock().now() + std::chrono::seconds(wait.tv_sec) +
                           std::chrono::microseconds(wait.tv_usec));
}

Resolver::Resolver(Loop& loop, const ResolverOptions& options)
    : channel_(std::make_unique<Channel>(loop)) {
  channel_->open(options);
}

Resolver::~Resolver() { channel_->close(); }

void Resolver::resolve(DnsQuery& query, const std::string& name) {
  DCHECK(!query.active());
  auto* const request = new DnsRequest(channel_->loop, query, query.handler_);
  query.request_ = request;
  channel_->requests.push_back(*request);
  if (channel_->ares == nullptr) {
    request->settle(fail(ErrorCode::kDnsFailure, "the resolver could not start"));
    return;
  }
  ares_addrinfo_hints hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_flags = kAddressFlags;
  ares_getaddrinfo(
      channel_->ares, name.c_str(), nullptr, &hints,
      [](void* argument, int status, int, ares_addrinfo* info) {
        auto* const done = static_cast<DnsRequest*>(argument);
        if (done->query == nullptr) {
          delete done;
        } else {
          done->settle(to_answer(status, info));
        }
        if (info != nullptr) ares_freeaddrinfo(info);
      },
      request);
  channel_->process(ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

}  // namespace weir::net
