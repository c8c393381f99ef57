// SPDX-License-Identifier: Apache-2.0
// Upgrades and CONNECT towards an HTTP/1 origin: how it is asked, which answers count, and the end
// of either way.
#include "http/upgrade.h"
#include "net/digest.h"
#include "proxy/exchange.h"
#include "proxy/h1_response.h"
#include "proxy/worker.h"

namespace weir::proxy {

constexpr std::string_view kWebSocket = "websocket";

// The head that asks for an upgrade, in the arena; CONNECT asks by itself. A WebSocket client of
// HTTP/2 has no key: weir makes one.
const RequestHead& UpstreamConnection::ask_upgrade(const RequestHead& head) {
  if (http::is_plain_connect(head)) return head;
  RequestHead& out = *new (arena().allocate(sizeof(RequestHead))) RequestHead(head);
  out.headers = http::with_upgrade(head.headers, head.protocol, arena());
  if (head.protocol != kWebSocket) return out;
  const Header* key = out.headers.find(HeaderId::kSecWebsocketKey);
  request_->websocket_key =
      key != nullptr ? key->value
                     : http::new_websocket_key(worker_.rng().next(), worker_.rng().next(), arena());
  if (key == nullptr) {
    out.headers.push({"sec-websocket-key", request_->websocket_key, HeaderId::kSecWebsocketKey});
  }
  return out;
}

// Null: this 101 opens the tunnel. Else what is wrong with it.
const char* UpstreamConnection::refuse_switch(const ResponseHead& head) const {
  const RequestHead& request = exchange_->request();
  if (request_framing_ != BodyFraming::Kind::kTunnel || http::is_plain_connect(request)) {
    return "unasked";
  }
  if (!http::switches_to(head, request.protocol)) return "to another protocol";
  if (request.protocol != kWebSocket) return nullptr;
  // Who answers so without knowing WebSocket would read the frames as something else.
  const Header* accept = head.headers.find(HeaderId::kSecWebsocketAccept);
  const bool proved =
      accept != nullptr && accept->value == net::websocket_accept(request_->websocket_key);
  return proved ? nullptr : "Sec-WebSocket-Accept does not answer the key";
}

bool UpstreamConnection::in_tunnel() const {
  return request_framing_ == BodyFraming::Kind::kTunnel && request_ != nullptr &&
         request_->head_done && request_->body.kind() == BodyFraming::Kind::kTunnel;
}

// After the last byte of the client: FIN, once it is written.
void UpstreamConnection::end_tunnel_writing() {
  if (!in_tunnel() || !request_ended_ || write_ended_ || !out_.empty()) return;
  write_ended_ = true;
  socket_.shutdown_write();
}

// The origin has ended its way and, as it turns out, does not read the other either.
bool UpstreamConnection::tunnel_lost() const {
  return state_ == State::kActive && !write_ended_ && (write_broken_ || socket_.failed());
}

}  // namespace weir::proxy
