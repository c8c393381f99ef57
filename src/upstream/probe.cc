// SPDX-License-Identifier: Apache-2.0
#include "upstream/probe.h"

#include <errno.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "http/head.h"
#include "http/proxy_protocol.h"

namespace weir::upstream {
namespace {

using Status = net::IoResult::Status;

constexpr size_t kRead = 4096;
constexpr http::HeadLimits kHeadLimits{64 * 1024, 256, 0};

std::string connect_reason(int error) {
  switch (error) {
    case ECONNREFUSED:
      return "connection refused";
    case ENOENT:
      return "no such socket";
    case ETIMEDOUT:
      return "connection timed out";
    default:
      return std::string("no connection: ") + std::strerror(error);
  }
}

// 0 if `head` is no response of HTTP/1.
int status_of(std::string_view head) {
  constexpr std::string_view kVersion = "HTTP/1.";
  if (!head.starts_with(kVersion) || head.size() < 12 || head[8] != ' ') return 0;
  int status = 0;
  for (const char c : head.substr(9, 3)) {
    if (c < '0' || c > '9') return 0;
    status = status * 10 + (c - '0');
  }
  return status;
}

}  // namespace

Probe* Probe::start(net::Loop& loop, ProbeMemory& memory, const ProbeTarget& target,
                    ProbeHandler& handler) {
  auto* probe = new Probe(loop, memory, target, handler);
  probe->connect();
  return probe;
}

Probe::Probe(net::Loop& loop, ProbeMemory& memory, const ProbeTarget& target, ProbeHandler& handler)
    : loop_(loop), memory_(memory), target_(target), handler_(handler) {}

void Probe::connect() {
  loop_.arm(timer_, check().timeout);
  const int fd = net::start_connect(target_.endpoint->address, 0);
  if (fd >= 0 && socket_.adopt(loop_.sockets(), fd, *this)) return;
  early_ = connect_reason(fd < 0 ? -fd : errno);
  // The handler is not called from within its own call.
  loop_.arm(timer_, Duration::zero());
}

void Probe::cancel() {
  if (stage_ == Stage::kDone) return;
  stage_ = Stage::kDone;
  timer_.cancel();
  socket_.close();
  stream_.reset();
  loop_.retire(*this);
}

void Probe::finish(bool passed, std::string_view reason) {
  if (stage_ == Stage::kDone) return;
  const std::string why(reason);
  ProbeHandler& handler = handler_;
  cancel();
  handler.on_probe(passed, why);
}

void Probe::on_timeout() {
  if (!early_.empty()) return fail(early_);
  switch (stage_) {
    case Stage::kConnect:
      return fail("no connection in time");
    case Stage::kTls:
      return fail("no TLS handshake in time");
    case Stage::kHttp1:
    case Stage::kHttp2:
    case Stage::kDone:
      break;
  }
  fail("no answer in time");
}

void Probe::on_socket() {
  if (stage_ == Stage::kConnect) on_connect();
  if (stage_ == Stage::kTls) on_handshake();
  if (stage_ == Stage::kHttp1 || stage_ == Stage::kHttp2) {
    if (socket_.writable()) send_out();
    read();
  }
}

void Probe::on_connect() {
  if (!socket_.writable() && !socket_.failed()) return;
  if (const int error = socket_.take_error(); error != 0) return fail(connect_reason(error));
  if (target_.config->proxy_protocol == SendProxy::kV2) {
    std::array<char, 64> header;
    const size_t size = http::write_proxy_v2({}, header);
    const net::IoResult sent = socket_.send(std::string_view(header.data(), size));
    if (sent.status != Status::kOk || sent.bytes != size) return fail("no PROXY header sent");
  }
  if (target_.tls == nullptr) return established();
  socket_.start_tls(target_.tls->new_session(target_.endpoint->host, target_.sessions));
  stage_ = Stage::kTls;
}

void Probe::on_handshake() {
  switch (socket_.handshake()) {
    case net::Handshake::kAgain:
      return;
    case net::Handshake::kError:
      return fail(std::string("TLS: ") + socket_.tls()->failure_reason());
    case net::Handshake::kDone:
      return established();
  }
}

void Probe::established() {
  if (check().tcp) return pass();
  const bool tls = socket_.is_tls();
  const bool agreed = tls && socket_.tls()->alpn() == Alpn::kH2;
  const UpstreamProtocol protocol = target_.config->protocol;
  if (tls && !agreed && (check().grpc || protocol == UpstreamProtocol::kHttp2)) {
    return fail("the server does not agree on HTTP/2 (ALPN)");
  }
  if (!agreed && protocol != UpstreamProtocol::kHttp2) return ask_http1();
  stage_ = Stage::kHttp2;
  const bool named = check().http && !check().http->host.empty();
  stream_ = std::make_unique<ProbeStream>(memory_, check(),
                                          named ? check().http->host : target_.endpoint->host, tls);
  pump_http2();
}

void Probe::ask_http1() {
  stage_ = Stage::kHttp1;
  const HttpCheckConfig& http = *check().http;
  out_ = http.method + ' ' + http.path +
         " HTTP/1.1\r\nhost: " + (http.host.empty() ? target_.endpoint->host : http.host) +
         "\r\nuser-agent: weir-health\r\nconnection: close\r\n";
  for (const auto& [name, value] : http.headers) out_ += name + ": " + value + "\r\n";
  out_ += "\r\n";
  send_out();
}

void Probe::send_out() {
  while (!out_.empty()) {
    const net::IoResult sent = socket_.send(out_);
    // What broke it is told by reading.
    if (sent.status == Status::kError) return socket_.mark_readable();
    if (sent.status != Status::kOk) return;
    out_.erase(0, sent.bytes);
  }
}

void Probe::read() {
  std::array<char, kRead> buffer;
  while ((stage_ == Stage::kHttp1 || stage_ == Stage::kHttp2) && socket_.readable()) {
    const net::IoResult in = socket_.recv(buffer);
    if (in.status == Status::kAgain) return;
    if (in.status == Status::kEof) return fail("the connection was closed without an answer");
    if (in.status == Status::kError) return fail("the connection was reset");
    take({buffer.data(), in.bytes});
  }
}

void Probe::take(std::string_view bytes) {
  if (stage_ == Stage::kHttp2) {
    stream_->feed(bytes);
    return pump_http2();
  }
  in_ += bytes;
  take_http1();
}

void Probe::pump_http2() {
  stream_->pull(out_);
  send_out();
  if (!stream_->done()) return;
  if (stream_->status() == 0) return fail(stream_->failure());
  if (check().grpc) return pass();
  judge(stream_->status());
}

void Probe::take_http1() {
  for (;;) {
    const auto end = http::find_head_end(in_, 0, kHeadLimits, http::MessageKind::kResponse);
    if (!end) return fail("the answer is no HTTP/1");
    if (*end == 0) return;
    const int status = status_of(in_);
    if (status == 0) return fail("the answer is no HTTP/1");
    if (status >= 200) return judge(status);
    in_.erase(0, *end);
  }
}

void Probe::judge(int status) {
  const auto& expect = check().http->expect;
  const bool fine = std::ranges::any_of(
      expect, [&](const StatusRange& range) { return status >= range.from && status <= range.to; });
  if (fine) return pass();
  fail("status " + std::to_string(status));
}

}  // namespace weir::upstream
