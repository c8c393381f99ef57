// SPDX-License-Identifier: Apache-2.0
#include "proxy/h2_upstream_stream.h"

#include "http/upgrade.h"
#include "proxy/exchange.h"
#include "proxy/h2_upstream.h"
#include "proxy/worker.h"

namespace weir::proxy {
namespace {

// As for HTTP/1: each costs memory until the final head, and nobody has use for more.
constexpr uint32_t kMaxInterims = 16;

}  // namespace

H2UpstreamStream::H2UpstreamStream(H2UpstreamConnection& connection, Exchange& exchange)
    : connection_(connection), exchange_(&exchange), reused_(connection.served_before()) {}

base::Arena& H2UpstreamStream::h2_arena() { return exchange_->arena(); }

base::Account& H2UpstreamStream::h2_account() { return exchange_->account(); }

Exchange& H2UpstreamStream::detach() {
  Exchange& exchange = *exchange_;
  exchange_ = nullptr;
  connection_.left(*this);
  return exchange;
}

void H2UpstreamStream::fail(const Error& error) {
  connection_.session().release(*this, http::H2Error::kCancel);
  connection_.touch(*exchange_);
  detach().on_upstream_error(*this, error);
}

// ---- From the exchange.

void H2UpstreamStream::send_head(const RequestHead& head) {
  tunnel_ = !head.protocol.empty();
  sent_at_ = connection_.worker().loop().now();
  const bool extended = tunnel_ && head.protocol != http::kConnectProtocol;
  if (extended && !connection_.session().peer_allows_connect_protocol()) {
    refusal_ = make_error(ErrorCode::kUpstreamUpgrade, "the origin takes no extended CONNECT");
  } else if (!connection_.session().send_request(
                 *this, extended ? http::to_extended_connect(head, h2_arena()) : head)) {
    refusal_ = make_error(ErrorCode::kUpstreamRefusedStream, "the connection takes no more streams",
                          Retry::kUnsent);
  }
  if (refused()) connection_.failed(*this);
}

void H2UpstreamStream::send_body(std::string_view bytes) {
  if (bytes.empty() || refused()) return;
  // Framed at once, a piece need not be copied when the next one comes.
  if (queued() > 0) connection_.flush(*this);
  connection_.session().send_data(*this, bytes);
}

void H2UpstreamStream::send_end(const HeaderList& trailers) {
  request_ended_ = true;
  if (!refused()) connection_.session().send_end(*this, trailers);
}

void H2UpstreamStream::flush() {
  if (!refused()) connection_.flush(*this);
}

void H2UpstreamStream::resume_body() {
  if (!paused_) return;
  paused_ = false;
  if (owed_ == 0) return;
  connection_.session().consume(*this, std::exchange(owed_, 0));
  connection_.wake();
}

void H2UpstreamStream::release() {
  if (exchange_ == nullptr) return;
  if (id() != 0 && !head_done_) connection_.doubt(sent_at_);
  connection_.session().release(*this, http::H2Error::kCancel);
  detach();
}

// ---- From the origin.

void H2UpstreamStream::on_interim(const ResponseHead& head) {
  if (++interims_ > kMaxInterims) {
    return fail(make_error(ErrorCode::kUpstreamBadHead, "too many interim responses"));
  }
  connection_.touch(*exchange_);
  exchange_->on_interim(head);
}

void H2UpstreamStream::on_response(const ResponseHead& head) {
  head_done_ = true;
  connection_.touch(*exchange_);
  if (!tunnel_) return exchange_->on_response_head(*this, head);
  ResponseHead out = head;
  http::from_connect_answer(out, exchange_->request().protocol);
  open_ = out.body.kind == BodyFraming::Kind::kTunnel;
  exchange_->on_response_head(*this, out);
}

void H2UpstreamStream::on_data(std::string_view bytes) {
  owed_ += bytes.size();
  connection_.touch(*exchange_);
  exchange_->on_response_body(bytes);
  if (exchange_ == nullptr || paused_) return;
  connection_.session().consume(*this, std::exchange(owed_, 0));
}

void H2UpstreamStream::on_end(const HeaderList& trailers) {
  connection_.touch(*exchange_);
  // The other way stays open until the client has ended as well.
  if (open_) return exchange_->on_tunnel_end();
  if (request_ended_) {
    connection_.session().finish(*this);
  } else {
    // Answered early: the rest of the request has no reader (RFC 9113, 8.1).
    connection_.session().release(*this, http::H2Error::kNoError);
  }
  detach().on_response_end(trailers);
}

void H2UpstreamStream::on_reset(http::H2Error code) {
  connection_.touch(*exchange_);
  const bool head_done = head_done_;
  Exchange& exchange = detach();
  if (code == http::H2Error::kRefusedStream) {
    exchange.on_upstream_error(
        *this, make_error(ErrorCode::kUpstreamRefusedStream, nullptr, Retry::kUnsent));
  } else if (code == http::H2Error::kProtocolError) {
    exchange.on_upstream_error(*this, make_error(ErrorCode::kUpstreamHttp2, nullptr, Retry::kNo));
  } else if (head_done) {
    exchange.on_upstream_error(*this,
                               make_error(ErrorCode::kUpstreamTruncated, "the stream was reset"));
  } else {
    exchange.on_upstream_error(
        *this, make_error(ErrorCode::kUpstreamReset, "the stream was reset", Retry::kIdempotent));
  }
}

// Never from here to the exchange: this may be deep inside its own flush().
void H2UpstreamStream::on_drained() { connection_.drained(*this); }

}  // namespace weir::proxy
