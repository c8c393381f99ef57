// SPDX-License-Identifier: Apache-2.0
// Two TLS sockets that talk to each other in one set, and the contexts for them from certificates
// that are minted on the spot.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "net/socket_set.h"
#include "net/tls_client_context.h"
#include "net/tls_server_context.h"
#include "sockets.h"
#include "support/mint.h"

namespace weir::net {

/// Server and client contexts, with short ways to change what a test is about.
struct TlsLab {
  test::TempFolder folder;
  test::Authority ca{"Test CA"};
  test::Authority client_ca{"Client CA"};
  std::shared_ptr<TlsTicketKeys> process_keys = make_process_ticket_keys();
  TlsFindings findings;  ///< Of the last build.

  CertificateConfig write(const std::string& name, const test::Minted& minted) const {
    return {folder.write(name + ".pem", minted.cert), folder.write(name + ".key", minted.key), {}};
  }
  CertificateConfig issue(const std::string& name, const test::Leaf& leaf) const {
    return write(name, ca.issue(leaf));
  }
  /// A listener with one ECDSA certificate for a.example.
  ListenerTlsConfig server_config() const {
    ListenerTlsConfig config;
    config.certificates.push_back(issue("a", {.cn = "a.example", .names = {"DNS:a.example"}}));
    return config;
  }
  ListenerTlsConfig server_config(ClientAuth auth) const {
    ListenerTlsConfig config = server_config();
    config.client_auth = auth;
    config.client_ca = folder.write("client-ca.pem", client_ca.pem());
    return config;
  }
  ClusterTlsConfig client_config() const {
    ClusterTlsConfig config;
    config.ca = folder.write("ca.pem", ca.pem());
    return config;
  }
  std::shared_ptr<const TlsServerContext> server(const ListenerTlsConfig& config) {
    findings.clear();
    TlsBuild build(process_keys, std::chrono::system_clock::now());
    return TlsServerContext::build(config, build, findings);
  }
  std::shared_ptr<const TlsClientContext> client(
      const ClusterTlsConfig& config, UpstreamProtocol protocol = UpstreamProtocol::kAuto) {
    findings.clear();
    TlsBuild build(process_keys, std::chrono::system_clock::now());
    return TlsClientContext::build(config, protocol, build, findings);
  }
};

/// One connection.
struct TlsPair {
  SocketSet set;
  RecordingHandler server_handler, client_handler;
  Socket server, client;
  Handshake server_state = Handshake::kAgain;
  Handshake client_state = Handshake::kAgain;

  TlsPair() {
    auto [near, far] = stream_pair();
    EXPECT_TRUE(server.adopt(set, near.take(), server_handler));
    EXPECT_TRUE(client.adopt(set, far.take(), client_handler));
    set.dispatch();
  }
  ~TlsPair() {
    server.close();
    client.close();
  }

  /// Both sides until neither goes on.
  void shake() {
    for (int turn = 0; turn < 20; ++turn) {
      if (client_state == Handshake::kAgain) client_state = client.handshake();
      if (server_state == Handshake::kAgain) server_state = server.handshake();
      set.dispatch();
    }
  }
  /// Both are done.
  bool shake(const TlsServerContext& of_server, const TlsClientContext& of_client,
             TlsSessionCache& cache, std::string_view host = "a.example") {
    server.start_tls(of_server.new_session());
    client.start_tls(of_client.new_session(host, cache));
    shake();
    return server_state == Handshake::kDone && client_state == Handshake::kDone;
  }
  bool shake(const TlsServerContext& of_server, const TlsClientContext& of_client,
             std::string_view host = "a.example") {
    TlsSessionCache cache;
    return shake(of_server, of_client, cache, host);
  }

  /// Everything that is there.
  std::string drain(Socket& socket) {
    std::string out;
    char room[8192];
    while (true) {
      set.dispatch();
      last = socket.recv(room);
      if (last.status != IoResult::Status::kOk) return out;
      out.append(room, last.bytes);
    }
  }
  bool say(Socket& socket, std::string_view text) {
    const IoResult out = socket.send(text);
    return out.status == IoResult::Status::kOk && out.bytes == text.size();
  }

  IoResult last;  ///< What ended drain().
};

inline std::string pattern(size_t size) {
  std::string out(size, '\0');
  for (size_t i = 0; i < size; ++i) out[i] = static_cast<char>(i * 31 + i / 251);
  return out;
}

}  // namespace weir::net
