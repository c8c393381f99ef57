// SPDX-License-Identifier: Apache-2.0
#include "app/listeners.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <utility>

#include "app/descriptors.h"
#include "app/op_log.h"
#include "net/address.h"
#include "net/socket.h"

namespace weir::app {
namespace {

// The kernel caps it at net.core.somaxconn.
constexpr int kBacklog = 4096;

bool is_unix_file(const Address& address) {
  return address.kind == Address::Kind::kUnix && !address.path.starts_with('@');
}

void close_all(const proxy::SharedListener& shared) {
  // Workers may share one descriptor (unix sockets).
  for (const int fd : std::set<int>(shared.fds.begin(), shared.fds.end())) ::close(fd);
}

// SO_REUSEPORT would let a second weir bind the same port in silence and take half the traffic, so
// the address is tried once without it. Bound only, never listening: no client sees this socket.
int probe(const net::SocketAddress& address) {
  const int fd = ::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address.family() == AF_INET6) {
    ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  }
  const int error = ::bind(fd, address.raw(), address.length()) == 0 ? 0 : errno;
  ::close(fd);
  return error;
}

std::string hint_for(const Address& address, int error) {
  const bool is_unix = address.kind == Address::Kind::kUnix;
  const std::string directory =
      is_unix ? address.path.substr(0, std::max<size_t>(address.path.rfind('/'), 1)) : "";
  switch (error) {
    case EADDRINUSE:
      if (is_unix) return "a running process listens there; stop it, or choose another path";
      return "another process listens there; `ss -ltnp 'sport = :" + std::to_string(address.port) +
             "'` names it";
    case EACCES:
    case EPERM:
      if (is_unix) return "let weir's user write to " + directory + ", or choose another path";
      return "ports below 1024 need root or CAP_NET_BIND_SERVICE; or choose a higher port";
    case EADDRNOTAVAIL:
      return "no interface of this machine has that address; `ip addr` lists them";
    case ENOENT:
      return "create the directory: mkdir -p " + directory;
    case EMFILE:
    case ENFILE:
      return "no file descriptor is left; raise `ulimit -n`";
    default:
      return "";
  }
}

}  // namespace

std::string listen_error(const std::string& what, const Address& address, int error) {
  const std::string hint = hint_for(address, error);
  return what + " cannot listen on " + address.text + ": " + ::strerror(error) +
         (hint.empty() ? "" : "; " + hint);
}

void print_listening(std::string_view name, const Address& address) {
  write_stderr("listening name=" + std::string(name) + " address=" + address.text + "\n");
}

Address bound_address(int fd, const Address& wanted) {
  if (wanted.kind == Address::Kind::kUnix || wanted.port != 0) return wanted;
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return wanted;
  Address bound = wanted;
  bound.port = net::Peer::from(storage).port;
  const std::string ip = net::ip_to_string(bound.ip);
  bound.text = (bound.ip.is_v6 ? "[" + ip + "]" : ip) + ":" + std::to_string(bound.port);
  return bound;
}

Listeners::~Listeners() {
  close_retired();
  for (const Entry& entry : current_) close(entry, {});
}

uint32_t Listeners::automatic_limit(const Config& config) const {
  return automatic_max_connections(descriptor_limit_,
                                   static_cast<uint32_t>(config.listeners.size()));
}

std::expected<Listeners::Set, std::string> Listeners::prepare(const Config& config) {
  Set set;
  for (const ListenerConfig& wanted : config.listeners) {
    const auto kept = std::find_if(current_.begin(), current_.end(), [&](const Entry& entry) {
      return entry.shared->name == wanted.name && entry.configured == wanted.address;
    });
    if (kept != current_.end()) {
      set.push_back(*kept);
      continue;
    }
    auto opened = open(wanted);
    if (!opened) {
      // What this call has opened goes; what was there stays.
      for (const Entry& entry : set) {
        const auto is_same = [&](const Entry& old) { return old.shared == entry.shared; };
        if (std::none_of(current_.begin(), current_.end(), is_same)) close(entry, current_);
      }
      return std::unexpected(std::move(opened.error()));
    }
    set.push_back(std::move(*opened));
  }
  return set;
}

void Listeners::commit(Set set, const Config& config) {
  const uint32_t automatic = automatic_limit(config);
  for (size_t i = 0; i < set.size(); ++i) {
    const AutoCount& limit = config.listeners[i].limits.max_connections;
    set[i].shared->max_connections.store(limit.value_or(automatic), std::memory_order_relaxed);
  }
  for (Entry& old : current_) {
    const auto is_same = [&](const Entry& entry) { return entry.shared == old.shared; };
    if (std::none_of(set.begin(), set.end(), is_same)) retired_.push_back(std::move(old));
  }
  current_ = std::move(set);
}

void Listeners::announce() {
  for (Entry& entry : current_) {
    if (std::exchange(entry.announced, true)) continue;
    print_listening(entry.shared->name, entry.shared->address);
  }
}

void Listeners::close_retired() {
  for (const Entry& entry : std::exchange(retired_, {})) close(entry, current_);
}

void Listeners::close(const Entry& entry, const Set& kept) {
  close_all(*entry.shared);
  entry.shared->fds.clear();
  if (!is_unix_file(entry.configured)) return;
  const auto is_same = [&](const Entry& other) { return other.configured == entry.configured; };
  if (std::none_of(kept.begin(), kept.end(), is_same)) ::unlink(entry.configured.path.c_str());
}

std::expected<Listeners::Entry, std::string> Listeners::open(const ListenerConfig& config) {
  Entry entry{config.address, std::make_shared<proxy::SharedListener>(), false};
  proxy::SharedListener& shared = *entry.shared;
  shared.name = config.name;
  shared.address = config.address;
  for (uint32_t i = 0; i < workers_; ++i) {
    shared.stats.push_back(std::make_unique<proxy::ListenerStats>());
  }
  if (const Entry* old = same_address(config.address)) {
    // The old name's sockets, with all that waits in their queues.
    shared.address = old->shared->address;
    for (const int fd : old->shared->fds) {
      shared.fds.push_back(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
    }
    return entry;
  }
  if (auto done = open_sockets(config, shared); !done) {
    close_all(shared);
    return std::unexpected(std::move(done.error()));
  }
  return entry;
}

std::expected<void, std::string> Listeners::open_sockets(const ListenerConfig& config,
                                                         proxy::SharedListener& shared) {
  const std::string what = "listener " + config.name;
  const bool is_unix = config.address.kind == Address::Kind::kUnix;
  if (!is_unix && !owns_port(config.address)) {
    if (const int error = probe(net::SocketAddress(config.address)); error != 0) {
      return std::unexpected(listen_error(what, config.address, error));
    }
  }
  for (uint32_t i = 0; i < workers_; ++i) {
    if (is_unix && i > 0) {
      shared.fds.push_back(shared.fds.front());
      continue;
    }
    // The first socket chooses the port that the others then share.
    const int fd = net::open_listener(net::SocketAddress(shared.address), !is_unix, kBacklog);
    if (fd < 0) return std::unexpected(listen_error(what, shared.address, -fd));
    shared.fds.push_back(fd);
    if (i == 0) shared.address = bound_address(fd, config.address);
  }
  return {};
}

const Listeners::Entry* Listeners::same_address(const Address& address) const {
  if (address.kind == Address::Kind::kIp && address.port == 0) return nullptr;
  for (const Entry& entry : current_) {
    if (entry.configured == address) return &entry;
  }
  return nullptr;
}

// A probe would find ourselves: 0.0.0.0:80 and 127.0.0.1:80 overlap.
bool Listeners::owns_port(const Address& address) const {
  if (address.port == 0) return false;
  return std::any_of(current_.begin(), current_.end(), [&](const Entry& entry) {
    return entry.shared->address.kind == Address::Kind::kIp &&
           entry.shared->address.port == address.port;
  });
}

}  // namespace weir::app
