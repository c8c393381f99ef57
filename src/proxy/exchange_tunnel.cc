// SPDX-License-Identifier: Apache-2.0
// Upgrades and CONNECT: who may ask, and the tunnel that an accepted one opens. Until the origin
// has accepted, not a byte of the client's goes on: an origin that declines would read it as the
// next request (request smuggling through a half-made upgrade).
#include <algorithm>

#include "http/upgrade.h"
#include "proxy/exchange.h"
#include "proxy/tunnel.h"
#include "proxy/worker.h"
#include "proxy/worker_listener.h"

namespace weir::proxy {
namespace {}  // namespace

// False: it was refused.
bool Exchange::admit_upgrade() {
  const auto& allowed = route_->config().upgrades;
  const bool connect = http::is_plain_connect(request_);
  // Nobody but an origin can be connected to: 200 from weir itself would promise a tunnel. And the
  // word is CONNECT's: HTTP/2 could send it as the protocol of an upgrade.
  const bool possible =
      connect ? is_forwarded(route_->target()) : request_.protocol != http::kConnectProtocol;
  if (!possible || std::ranges::find(allowed, request_.protocol) == allowed.end()) {
    fail(make_error(connect ? ErrorCode::kMethodRefused : ErrorCode::kUpgradeRefused));
    return false;
  }
  const Result<void> checked = http::check_upgrade(request_);
  if (!checked) {
    fail(checked.error());
    return false;
  }
  request_.body = {BodyFraming::Kind::kTunnel, 0};
  return true;
}

// Nothing follows the head until there is an answer: its time begins.
void Exchange::await_upgrade() {
  sent_at_ = worker_.loop().clock().now();
  attempt_.request_sent();
}

void Exchange::answer_upgrade(const ResponseHead& head) {
  if (head.body.kind == BodyFraming::Kind::kTunnel) return open_tunnel();
  // An ordinary answer is one to a request without a body.
  request_ended_ = request_end_sent_ = true;
}

void Exchange::open_tunnel() {
  net::Loop& loop = worker_.loop();
  tunnel_ = new (arena_.allocate(sizeof(Tunnel))) Tunnel(
      client_.listener->stats(), net::timer_callback<&Exchange::on_tunnel_timer>(this), loop.now());
  const Millis idle = route_->config().upgrade_idle_timeout;
  if (idle > Millis::zero()) loop.arm(tunnel_->timer, idle);
}

void Exchange::close_tunnel() {
  tunnel_->~Tunnel();
  tunnel_ = nullptr;
}

void Exchange::tunnel_moved() { tunnel_->moved_at = worker_.loop().now(); }

void Exchange::on_tunnel_timer() {
  net::Loop& loop = worker_.loop();
  const TimePoint end = tunnel_->moved_at + route_->config().upgrade_idle_timeout;
  if (loop.now() < end) return loop.arm_at(tunnel_->timer, end);
  Error silence = make_error(ErrorCode::kUpstreamIdle, "a tunnel with no bytes either way");
  silence.origin = Origin::kInternal;
  fail(silence);
  flush();
}

void Exchange::on_tunnel_end() {
  response_ended_ = true;
  client_.stream->send_end({});
  progress();
}

// The origin has ended, and has got all that the client had to say.
bool Exchange::tunnel_over() const {
  const UpstreamStream* stream = attempt_.stream();
  return stream == nullptr || (request_end_sent_ && !stream->congested());
}

}  // namespace weir::proxy
