// SPDX-License-Identifier: Apache-2.0
// What comes before the first request on listeners that want it: the PROXY header of a proxy in
// front, then the TLS handshake, then the choice of protocol (ALPN, or what the bytes begin with).
// The connection then goes over to an HTTP/1 or an HTTP/2 one; this object ends.
//
// State           what is going on                    timer
// kProxyHeader    the header is awaited               handshake_timeout, or header_timeout if plain
// kHandshake      TLS                                 the same, not armed anew
// kPreface        part of HTTP/2's preface is here    header_timeout
// kClosed         the graveyard frees it              none
//
// Handshakes cost up to a millisecond each: those that would make the turn too long for others wait
// for the next one. One thread.
#pragma once

#include <memory>
#include <string>

#include "net/address.h"
#include "net/loop.h"
#include "net/socket.h"
#include "proxy/client_connection.h"

namespace weir::proxy {

class Worker;

class DownstreamAccept final : public net::SocketHandler,
                               public net::Retirable,
                               public ClientConnection {
 public:
  /// Takes over `fd`. If the kernel refuses it, the connection is closed before open() returns.
  static void open(WorkerListener& listener, int fd, const net::Peer& peer,
                   policy::AddressPlace place);

  /// Takes over a plain connection whose first bytes are a part of HTTP/2's preface: what it speaks
  /// is not known yet.
  static void sniff(ClientConnection& from, Handover handover);

  // ClientConnection
  /// The client is served one request more: it began before the drain did.
  void drain() override { draining_ = true; }
  void kill() override { close(); }
  TimePoint idle_since() const override { return opened_ + kFirstWord; }
  void shed() override { close(); }

  // net::SocketHandler
  void on_socket() override;

 private:
  enum class State : uint8_t { kProxyHeader, kHandshake, kPreface, kClosed };

  DownstreamAccept(WorkerListener& listener, const net::Peer& peer);
  ~DownstreamAccept() override = default;

  void read_proxy_header();
  bool take_proxy_header(size_t& used);
  void read_preface();
  void begin_tls(std::string_view received);
  void go_on_handshake();
  void hand_over(std::string_view received);
  void on_timer();
  void refuse(ErrorCode code, const char* detail);
  void close();

  WorkerListener& listener_;
  net::Socket socket_;
  net::Timer timer_;
  net::Peer peer_;
  std::string received_;  ///< Of the PROXY header or preface, so far.
  std::unique_ptr<ProxyTold> told_;
  TimePoint opened_;
  State state_ = State::kProxyHeader;
  bool draining_ = false;
};

}  // namespace weir::proxy
