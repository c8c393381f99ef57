// SPDX-License-Identifier: Apache-2.0
#include "app/origin.h"

#include <signal.h>
#include <unistd.h>

#include <utility>

#include "app/descriptors.h"
#include "app/exit_code.h"
#include "app/listeners.h"
#include "app/op_log.h"
#include "app/signals.h"
#include "config/values.h"
#include "net/address.h"
#include "net/socket.h"

namespace weir::app {
namespace {

constexpr int kBacklog = 4096;

}  // namespace

Origin::Origin(net::Loop& loop, std::string name, int listen_fd)
    : loop_(loop), name_(std::move(name)), acceptor_(loop, listen_fd, *this) {}

Origin::~Origin() {
  for (const auto& [id, connection] : std::exchange(connections_, {})) {
    connection->shut();
    connection->dispose();
  }
}

void Origin::on_accept(int fd, const net::Peer&) {
  auto connection = std::make_unique<OriginConnection>(*this, next_id_);
  if (!connection->open(fd)) return;
  connections_.emplace(next_id_++, connection.release());
}

void Origin::forget(OriginConnection& connection) {
  connections_.erase(connection.id());
  connection.shut();
  loop_.retire(connection);
}

int run_origin(const Options& options) {
  const auto address = config::parse_address(options.listen);
  if (!address) {
    write_stderr("weir: --listen " + options.listen + " is " + address.error().message + "\n");
    return kExitUsage;
  }
  raise_descriptor_limit();
  const int fd = net::open_listener(net::SocketAddress(*address), false, kBacklog);
  if (fd < 0) {
    write_stderr("weir: " + listen_error("origin " + options.origin_name, *address, -fd) + "\n");
    return kExitStart;
  }
  {
    const SystemClock clock;
    net::Loop loop(clock);
    const Signals signals(loop, [&loop](int signal) {
      if (signal == SIGTERM || signal == SIGINT) loop.stop();
    });
    const Origin origin(loop, options.origin_name, fd);
    write_stderr("listening name=" + options.origin_name +
                 " address=" + bound_address(fd, *address).text + "\nready\n");
    loop.run();
  }
  ::close(fd);
  if (address->kind == Address::Kind::kUnix) ::unlink(address->path.c_str());
  return kExitOk;
}

}  // namespace weir::app
