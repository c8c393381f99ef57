// SPDX-License-Identifier: Apache-2.0
// What two sides agree on, and what each says when they do not.
#include <gmock/gmock.h>
#include <openssl/ssl.h>

#include <map>
#include <set>

#include "net/digest.h"
#include "tls_pair.h"

namespace weir::net {
namespace {

using testing::ElementsAre;

class TlsHandshakeTest : public testing::Test {
 protected:
  TlsLab lab_;
};

TEST_F(TlsHandshakeTest, TwoSidesThatFitAgree) {
  const auto server = lab_.server(lab_.server_config());
  const auto client = lab_.client(lab_.client_config());
  TlsPair pair;
  ASSERT_TRUE(pair.shake(*server, *client));
  const TlsSession& session = *pair.server.tls();
  EXPECT_TRUE(session.established());
  EXPECT_EQ(session.version(), "TLSv1.3");
  EXPECT_EQ(session.cipher(), "TLS_AES_128_GCM_SHA256");
  EXPECT_EQ(session.sni(), "a.example");
  EXPECT_EQ(session.alpn(), Alpn::kH2);
  EXPECT_FALSE(session.resumed());
  EXPECT_EQ(session.failure(), TlsFailure::kNone);
  EXPECT_STREQ(session.failure_reason(), "");
  EXPECT_TRUE(pair.client.tls()->peer_verified());
  EXPECT_FALSE(session.peer_verified()) << "nobody asked the client for a certificate";
  EXPECT_EQ(session.client_cert_field(), "");
}

TEST_F(TlsHandshakeTest, TheListenersOrderDecidesTheProtocol) {
  struct Case {
    std::vector<Alpn> listener;
    UpstreamProtocol client;
    std::optional<Alpn> agreed;
  };
  const Case cases[] = {
      {{Alpn::kH2, Alpn::kHttp11}, UpstreamProtocol::kAuto, Alpn::kH2},
      {{Alpn::kHttp11, Alpn::kH2}, UpstreamProtocol::kAuto, Alpn::kHttp11},
      {{Alpn::kH2, Alpn::kHttp11}, UpstreamProtocol::kHttp1, Alpn::kHttp11},
      {{Alpn::kH2, Alpn::kHttp11}, UpstreamProtocol::kHttp2, Alpn::kH2},
  };
  for (const Case& each : cases) {
    ListenerTlsConfig config = lab_.server_config();
    config.alpn = each.listener;
    const auto server = lab_.server(config);
    const auto client = lab_.client(lab_.client_config(), each.client);
    TlsPair pair;
    ASSERT_TRUE(pair.shake(*server, *client));
    EXPECT_EQ(pair.server.tls()->alpn(), each.agreed);
    EXPECT_EQ(pair.client.tls()->alpn(), each.agreed);
  }
}

TEST_F(TlsHandshakeTest, NoProtocolInCommonEndsTheHandshakeWithItsAlert) {
  ListenerTlsConfig config = lab_.server_config();
  config.alpn = {Alpn::kHttp11};
  const auto server = lab_.server(config);
  const auto client = lab_.client(lab_.client_config(), UpstreamProtocol::kHttp2);
  TlsPair pair;
  EXPECT_FALSE(pair.shake(*server, *client));
  EXPECT_EQ(pair.server_state, Handshake::kError);
  EXPECT_EQ(pair.server.tls()->failure(), TlsFailure::kAlpn);
  EXPECT_STREQ(pair.server.tls()->failure_reason(), "no application protocol in common");
  EXPECT_EQ(pair.client.tls()->failure(), TlsFailure::kAlert);
  EXPECT_STREQ(pair.client.tls()->failure_reason(), "peer alert: no application protocol");
}

TEST_F(TlsHandshakeTest, PlainHttpOnATlsPortIsToldApart) {
  const auto server = lab_.server(lab_.server_config());
  TlsPair pair;
  pair.server.start_tls(server->new_session());
  ASSERT_TRUE(pair.say(pair.client, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"));
  EXPECT_EQ(pair.server.handshake(), Handshake::kError);
  EXPECT_EQ(pair.server.tls()->failure(), TlsFailure::kNotTls);
  EXPECT_EQ(pair.server.handshake(), Handshake::kError) << "it stays so";
}

TEST_F(TlsHandshakeTest, APeerThatLeavesInTheMiddleIsNamed) {
  const auto server = lab_.server(lab_.server_config());
  TlsPair pair;
  pair.server.start_tls(server->new_session());
  EXPECT_EQ(pair.server.handshake(), Handshake::kAgain);
  pair.client.close();
  pair.set.dispatch();
  EXPECT_EQ(pair.server.handshake(), Handshake::kError);
  EXPECT_EQ(pair.server.tls()->failure(), TlsFailure::kPeerClosed);
}

TEST_F(TlsHandshakeTest, BytesThatCameBehindAPlainHeaderAreTheHandshakesFirst) {
  const auto server = lab_.server(lab_.server_config());
  const auto client = lab_.client(lab_.client_config());
  TlsPair pair;
  TlsSessionCache cache;
  pair.client.start_tls(client->new_session("a.example", cache));
  ASSERT_EQ(pair.client.handshake(), Handshake::kAgain);
  pair.set.dispatch();
  char room[20];
  ASSERT_EQ(pair.server.recv(room).bytes, sizeof room);
  pair.server.start_tls(server->new_session(), {room, sizeof room});
  pair.shake();
  EXPECT_EQ(pair.server_state, Handshake::kDone);
}

// Each certificate has a CA of its own, and the client trusts one: so what it says tells which
// certificate it was shown.
class TlsChoiceTest : public TlsHandshakeTest {
 protected:
  void add(const std::string& label, test::Leaf leaf) {
    auto& ca = cas_.emplace(label, label + " CA").first->second;
    leaf.cn = leaf.cn == "leaf" ? label : leaf.cn;
    config_.certificates.push_back(lab_.write(label, ca.issue(leaf)));
  }
  /// What a client that asks for `sni` and trusts `label`'s CA alone comes to.
  std::string ask(const std::string& sni, const std::string& label) {
    ClusterTlsConfig config;
    config.sni = sni;
    config.ca = lab_.folder.write("one.pem", cas_.at(label).pem());
    const auto client = lab_.client(config);
    TlsPair pair;
    return pair.shake(*server_, *client) ? "" : pair.client.tls()->failure_reason();
  }

  std::map<std::string, test::Authority> cas_;
  ListenerTlsConfig config_;
  std::shared_ptr<const TlsServerContext> server_;
};

TEST_F(TlsChoiceTest, TheNameChoosesTheCertificate) {
  add("first", {.names = {"DNS:first.example"}});
  add("wild", {.names = {"DNS:*.b.example"}});
  add("exact", {.names = {"DNS:x.b.example", "DNS:y.example"}});
  add("nosan", {.cn = "CN.example"});
  add("san", {.cn = "ignored.example", .names = {"DNS:san.example"}});
  server_ = lab_.server(config_);
  ASSERT_NE(server_, nullptr);
  const char* const wrong_name = "certificate verify failed: wrong name";
  struct Case {
    const char* sni;
    const char* label;
    const char* outcome;
  };
  const Case cases[] = {
      {"first.example", "first", ""},
      {"x.b.example", "exact", ""},
      {"y.example", "exact", ""},
      {"X.B.Example", "exact", ""},
      {"z.b.example", "wild", ""},
      {"san.example", "san", ""},
      {"b.example", "first", wrong_name},
      {"p.q.b.example", "first", wrong_name},
      {"ignored.example", "first", wrong_name},
      {"nobody", "first", wrong_name},
      {"127.0.0.1", "first", "certificate verify failed: wrong address"},
      // The client wants SANs even where the listener takes a CN for a name.
      {"cn.example", "nosan", wrong_name},
  };
  for (const Case& each : cases) {
    EXPECT_EQ(ask(each.sni, each.label), each.outcome) << each.sni;
  }
  EXPECT_EQ(ask("first.example", "wild"), "certificate verify failed: unknown CA");
}

// What the handshake offers is a matter of the client; here it is BoringSSL itself.
struct RawClient {
  explicit RawClient(Socket& socket) : ctx(SSL_CTX_new(TLS_method())) {
    SSL_CTX_set_max_proto_version(ctx.get(), TLS1_2_VERSION);
    SSL_CTX_set_min_proto_version(ctx.get(), TLS1_VERSION);
    ssl.reset(SSL_new(ctx.get()));
    SSL_set_fd(ssl.get(), socket.fd());
  }
  void shake(TlsPair& pair) {
    for (int turn = 0; turn < 10; ++turn) {
      SSL_connect(ssl.get());
      pair.set.dispatch();
      if (pair.server_state == Handshake::kAgain) pair.server_state = pair.server.handshake();
    }
  }
  bssl::UniquePtr<SSL_CTX> ctx;
  bssl::UniquePtr<SSL> ssl;
};

TEST_F(TlsChoiceTest, EcdsaIsForClientsThatCanVerifyIt) {
  add("rsa", {.names = {"DNS:a.example"}, .rsa = true});
  add("ec", {.names = {"DNS:a.example"}});
  server_ = lab_.server(config_);
  EXPECT_EQ(ask("a.example", "ec"), "");
  for (const char* sni : {"a.example", "nobody", ""}) {
    struct Case {
      const char* suites;
      uint16_t algorithm;
      int kind;
    };
    const Case cases[] = {
        {"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256", 0, EVP_PKEY_EC},
        {"ECDHE-RSA-AES128-GCM-SHA256", 0, EVP_PKEY_RSA},
        {"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256", SSL_SIGN_RSA_PSS_RSAE_SHA256,
         EVP_PKEY_RSA},
    };
    for (const Case& each : cases) {
      TlsPair pair;
      pair.server.start_tls(server_->new_session());
      RawClient client(pair.client);
      SSL_set_cipher_list(client.ssl.get(), each.suites);
      if (*sni != '\0') SSL_set_tlsext_host_name(client.ssl.get(), sni);
      if (each.algorithm != 0) {
        SSL_set_verify_algorithm_prefs(client.ssl.get(), &each.algorithm, 1);
      }
      client.shake(pair);
      ASSERT_EQ(pair.server_state, Handshake::kDone) << pair.server.tls()->failure_reason();
      EXPECT_EQ(pair.server.tls()->version(), "TLSv1.2");
      const bssl::UniquePtr<X509> leaf(SSL_get_peer_certificate(client.ssl.get()));
      const bssl::UniquePtr<EVP_PKEY> key(X509_get_pubkey(leaf.get()));
      EXPECT_EQ(EVP_PKEY_id(key.get()), each.kind) << sni << " " << each.suites;
    }
  }
}

TEST_F(TlsHandshakeTest, WhatIsTooOldIsRefusedByName) {
  ListenerTlsConfig config = lab_.server_config();
  struct Case {
    TlsVersion least;
    uint16_t most;
    const char* suites;
    TlsFailure failure;
    const char* reason;
  };
  const Case cases[] = {
      {TlsVersion::kTls12, TLS1_1_VERSION, "ALL", TlsFailure::kVersion, "no TLS version in common"},
      {TlsVersion::kTls13, TLS1_2_VERSION, "ALL", TlsFailure::kVersion, "no TLS version in common"},
      {TlsVersion::kTls12, TLS1_2_VERSION, "AES128-SHA", TlsFailure::kCipher, "no shared cipher"},
  };
  for (const Case& each : cases) {
    config.min_version = each.least;
    const auto server = lab_.server(config);
    TlsPair pair;
    pair.server.start_tls(server->new_session());
    RawClient client(pair.client);
    SSL_set_max_proto_version(client.ssl.get(), each.most);
    SSL_set_cipher_list(client.ssl.get(), each.suites);
    client.shake(pair);
    EXPECT_EQ(pair.server_state, Handshake::kError);
    EXPECT_EQ(pair.server.tls()->failure(), each.failure);
    EXPECT_STREQ(pair.server.tls()->failure_reason(), each.reason);
  }
}

TEST_F(TlsHandshakeTest, AClientWithoutAlpnIsServed) {
  const auto server = lab_.server(lab_.server_config());
  TlsPair pair;
  pair.server.start_tls(server->new_session());
  RawClient client(pair.client);
  client.shake(pair);
  EXPECT_EQ(pair.server_state, Handshake::kDone);
  EXPECT_EQ(pair.server.tls()->alpn(), std::nullopt);
  EXPECT_EQ(pair.server.tls()->sni(), "");
}

TEST_F(TlsHandshakeTest, AnOriginThatDoesNotVerifyIsRefusedWithTheReason) {
  const test::Authority stranger("Stranger");
  using std::chrono::hours;
  struct Case {
    test::Minted minted;
    const char* host;
    const char* reason;  ///< Empty: it passes.
  };
  const Case cases[] = {
      {lab_.ca.issue({.names = {"DNS:a.example"}}), "a.example", ""},
      {lab_.ca.issue({.names = {"DNS:a.example"}}), "a.example:8443", ""},
      {lab_.ca.issue({.names = {"DNS:*.b.example"}}), "a.b.example", ""},
      {lab_.ca.issue({.names = {"IP:127.0.0.1"}}), "127.0.0.1:8443", ""},
      {lab_.ca.issue({.names = {"IP:::1"}}), "[::1]:8443", ""},
      {lab_.ca.issue({.names = {"DNS:a.example"}}), "b.example",
       "certificate verify failed: wrong name"},
      {lab_.ca.issue({.names = {"DNS:127.0.0.1"}}), "127.0.0.1",
       "certificate verify failed: wrong address"},
      {lab_.ca.issue({.cn = "a.example"}), "a.example", "certificate verify failed: wrong name"},
      {lab_.ca.issue({.names = {"DNS:a.example"}, .from = hours(-9), .to = hours(-1)}), "a.example",
       "certificate verify failed: expired"},
      {lab_.ca.issue({.names = {"DNS:a.example"}, .from = hours(1)}), "a.example",
       "certificate verify failed: not yet valid"},
      {lab_.ca.issue({.names = {"DNS:a.example"}, .for_client = true}), "a.example",
       "certificate verify failed: not meant for this use"},
      {stranger.issue({.names = {"DNS:a.example"}}), "a.example",
       "certificate verify failed: unknown CA"},
  };
  const auto client = lab_.client(lab_.client_config());
  ClusterTlsConfig trusting = lab_.client_config();
  trusting.verify = false;
  const auto blind = lab_.client(trusting);
  for (const Case& each : cases) {
    ListenerTlsConfig config;
    config.certificates = {lab_.write("x", each.minted)};
    const auto server = lab_.server(config);
    TlsPair pair;
    EXPECT_EQ(pair.shake(*server, *client, each.host), *each.reason == '\0') << each.reason;
    EXPECT_STREQ(pair.client.tls()->failure_reason(), each.reason);
    if (*each.reason != '\0') {
      EXPECT_EQ(pair.client.tls()->failure(), TlsFailure::kCertificate);
    }
    TlsPair unverified;
    EXPECT_TRUE(unverified.shake(*server, *blind, each.host)) << "verify: false takes anything";
    EXPECT_FALSE(unverified.client.tls()->peer_verified());
  }
}

TEST_F(TlsHandshakeTest, ASelfSignedCertificateMayBeTrustedByItself) {
  // The authority's own certificate, shown by nobody but listed: an anchor need not be a root.
  ListenerTlsConfig config = lab_.server_config();
  const auto server = lab_.server(config);
  ClusterTlsConfig pinned;
  pinned.ca = config.certificates[0].cert;
  TlsPair pair;
  EXPECT_TRUE(pair.shake(*server, *lab_.client(pinned)));
}

class TlsClientAuthTest : public TlsHandshakeTest {
 protected:
  /// A client that shows what `authority` issued; null: nothing.
  std::shared_ptr<const TlsClientContext> client(const test::Authority* authority,
                                                 test::Leaf leaf = {}) {
    ClusterTlsConfig config = lab_.client_config();
    leaf.cn = "client";
    leaf.names = {"DNS:c.example", "URI:spiffe://example/c", "IP:10.0.0.1", "email:c@example"};
    leaf.for_client = true;
    if (authority != nullptr) config.client_cert = lab_.write("client", authority->issue(leaf));
    return lab_.client(config);
  }
};

TEST_F(TlsClientAuthTest, ThreeModes) {
  const test::Authority stranger("Stranger");
  struct Case {
    ClientAuth mode;
    const test::Authority* shown;
    bool passes;
    bool verified;
    TlsFailure failure;
    const char* reason;
  };
  const Case cases[] = {
      {ClientAuth::kNone, nullptr, true, false, TlsFailure::kNone, ""},
      {ClientAuth::kNone, &lab_.client_ca, true, false, TlsFailure::kNone, ""},
      {ClientAuth::kOptional, nullptr, true, false, TlsFailure::kNone, ""},
      {ClientAuth::kOptional, &lab_.client_ca, true, true, TlsFailure::kNone, ""},
      {ClientAuth::kOptional, &stranger, false, false, TlsFailure::kCertificate,
       "certificate verify failed: unknown CA"},
      {ClientAuth::kRequired, nullptr, false, false, TlsFailure::kNoCertificate,
       "no client certificate"},
      {ClientAuth::kRequired, &lab_.client_ca, true, true, TlsFailure::kNone, ""},
      {ClientAuth::kRequired, &stranger, false, false, TlsFailure::kCertificate,
       "certificate verify failed: unknown CA"},
  };
  for (const Case& each : cases) {
    const auto server = lab_.server(lab_.server_config(each.mode));
    TlsPair pair;
    pair.shake(*server, *client(each.shown));
    const TlsSession& session = *pair.server.tls();
    EXPECT_EQ(pair.server_state, each.passes ? Handshake::kDone : Handshake::kError);
    EXPECT_EQ(session.peer_verified(), each.verified);
    EXPECT_EQ(session.failure(), each.failure) << session.failure_reason();
    EXPECT_STREQ(session.failure_reason(), each.reason);
  }
}

TEST_F(TlsClientAuthTest, ARefusedClientHearsTheAlert) {
  const auto server = lab_.server(lab_.server_config(ClientAuth::kRequired));
  TlsPair pair;
  pair.shake(*server, *client(nullptr));
  ASSERT_EQ(pair.client_state, Handshake::kDone) << "a TLS 1.3 client is done before the server";
  EXPECT_EQ(pair.drain(pair.client), "");
  EXPECT_EQ(pair.last.status, IoResult::Status::kError);
  EXPECT_EQ(pair.client.tls()->failure(), TlsFailure::kAlert);
  EXPECT_STREQ(pair.client.tls()->failure_reason(), "peer alert: certificate required");
}

TEST_F(TlsClientAuthTest, AnExpiredClientIsRefused) {
  const auto server = lab_.server(lab_.server_config(ClientAuth::kOptional));
  TlsPair pair;
  pair.shake(*server, *client(&lab_.client_ca,
                              {.from = std::chrono::hours(-9), .to = std::chrono::hours(-1)}));
  EXPECT_STREQ(pair.server.tls()->failure_reason(), "certificate verify failed: expired");
}

TEST_F(TlsClientAuthTest, AVerifiedClientIsDescribed) {
  const auto server = lab_.server(lab_.server_config(ClientAuth::kRequired));
  TlsPair pair;
  ASSERT_TRUE(pair.shake(*server, *client(&lab_.client_ca)));
  const TlsSession& session = *pair.server.tls();
  EXPECT_EQ(session.peer_subject(), "CN=client");
  EXPECT_THAT(session.peer_names(), ElementsAre("DNS:c.example", "URI:spiffe://example/c",
                                                "IP:10.0.0.1", "email:c@example"));
  ASSERT_EQ(session.peer_chain().size(), 1U);
  const std::string der(session.peer_chain().front());
  EXPECT_EQ(session.client_cert_field(), ":" + base64(der) + ":");
  EXPECT_EQ(session.client_cert_chain_field(), "") << "the client sent its leaf only";
}

TEST_F(TlsClientAuthTest, TheRestOfTheChainIsAFieldOfItsOwn) {
  const test::Minted leaf = lab_.client_ca.issue({.cn = "client", .for_client = true});
  ClusterTlsConfig config = lab_.client_config();
  config.client_cert =
      lab_.write("chain", {leaf.cert + lab_.client_ca.pem() + lab_.client_ca.pem(), leaf.key});
  const auto server = lab_.server(lab_.server_config(ClientAuth::kRequired));
  TlsPair pair;
  ASSERT_TRUE(pair.shake(*server, *lab_.client(config)));
  const std::vector<std::string_view> chain = pair.server.tls()->peer_chain();
  ASSERT_EQ(chain.size(), 3U);
  EXPECT_EQ(pair.server.tls()->client_cert_chain_field(),
            ":" + base64(chain[1]) + ":, :" + base64(chain[2]) + ":");
}

TEST(TlsFailureTest, EveryFailureHasAWordOfItsOwn) {
  std::set<std::string_view> words;
  for (int i = 1; i < static_cast<int>(TlsFailure::kCount); ++i) {
    const std::string_view word = tls_failure_word(static_cast<TlsFailure>(i));
    EXPECT_FALSE(word.empty());
    EXPECT_TRUE(words.insert(word).second) << word;
  }
  EXPECT_EQ(tls_failure_word(TlsFailure::kNone), "");
}

TEST(DigestTest, KnownAnswers) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  const auto digest = sha1("abc");
  EXPECT_EQ(base64({reinterpret_cast<const char*>(digest.data()), digest.size()}),
            "qZk+NkcGgWq6PiVxeFDCbJzQ2J0=");
  // RFC 6455, 1.3.
  EXPECT_EQ(websocket_accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

}  // namespace
}  // namespace weir::net
