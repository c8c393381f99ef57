// SPDX-License-Identifier: Apache-2.0
// Resumption: what a ticket opens, and what it must not.
#include <openssl/ssl.h>

#include "net/tls_ticket_keys.h"
#include "tls_pair.h"

namespace weir::net {
namespace {

using std::chrono::hours;

class TlsResumeTest : public testing::Test {
 protected:
  /// Connects and takes the ticket; whether the session was resumed.
  bool connect(const TlsServerContext& server, const TlsClientContext& client,
               std::string_view host = "a.example") {
    TlsPair pair;
    EXPECT_TRUE(pair.shake(server, client, cache_, host))
        << pair.server.tls()->failure_reason() << pair.client.tls()->failure_reason();
    EXPECT_TRUE(pair.say(pair.server, "x"));  // The ticket of TLS 1.3 comes in front of it.
    EXPECT_EQ(pair.drain(pair.client), "x");
    verified_ = pair.server.tls()->peer_verified();
    subject_ = pair.server.tls()->peer_subject();
    EXPECT_EQ(pair.server.tls()->resumed(), pair.client.tls()->resumed());
    return pair.server.tls()->resumed();
  }
  ListenerTlsConfig with_keys(std::initializer_list<const char*> contents) {
    ListenerTlsConfig config = lab_.server_config();
    for (const char* content : contents) {
      std::string bytes(48, *content);
      config.session_tickets.key_files.push_back(lab_.folder.write(content, bytes));
    }
    return config;
  }

  TlsLab lab_;
  TlsSessionCache cache_;
  bool verified_ = false;
  std::string subject_;
};

TEST_F(TlsResumeTest, TheSecondConnectionResumesAndTheThirdAsWell) {
  const auto server = lab_.server(lab_.server_config());
  const auto client = lab_.client(lab_.client_config());
  EXPECT_FALSE(connect(*server, *client));
  EXPECT_TRUE(connect(*server, *client));
  EXPECT_TRUE(connect(*server, *client)) << "a resumed connection brings a ticket, too";
}

TEST_F(TlsResumeTest, AReloadKeepsTicketsThatTheProcessSealed) {
  const auto client = lab_.client(lab_.client_config());
  const ListenerTlsConfig config = lab_.server_config();
  EXPECT_FALSE(connect(*lab_.server(config), *client));
  EXPECT_TRUE(connect(*lab_.server(config), *client));
}

TEST_F(TlsResumeTest, WithoutTicketsNothingIsResumed) {
  ListenerTlsConfig config = lab_.server_config();
  config.session_tickets.enabled = false;
  const auto server = lab_.server(config);
  const auto client = lab_.client(lab_.client_config());
  EXPECT_FALSE(connect(*server, *client));
  EXPECT_FALSE(connect(*server, *client));
}

TEST_F(TlsResumeTest, TwoMachinesWithTheSameKeyFilesShareTickets) {
  const auto client = lab_.client(lab_.client_config());
  const auto one = lab_.server(with_keys({"A"}));
  lab_.process_keys = make_process_ticket_keys();
  const auto two = lab_.server(with_keys({"B", "A"}));
  const auto stranger = lab_.server(with_keys({"C"}));
  EXPECT_FALSE(connect(*one, *client));
  EXPECT_TRUE(connect(*two, *client)) << "a key that does not seal still opens";
  EXPECT_FALSE(connect(*one, *client)) << "the first key seals: one does not know B";
  EXPECT_FALSE(connect(*stranger, *client));
}

TEST_F(TlsResumeTest, LongKeyFilesWorkAsWell) {
  ListenerTlsConfig config = lab_.server_config();
  config.session_tickets.key_files = {lab_.folder.write("long", pattern(80))};
  const auto client = lab_.client(lab_.client_config());
  EXPECT_FALSE(connect(*lab_.server(config), *client));
  EXPECT_TRUE(connect(*lab_.server(config), *client));
}

TEST_F(TlsResumeTest, KeysOfTheProcessRotateAndTheOneBeforeStillOpens) {
  const auto server = lab_.server(lab_.server_config());
  const auto client = lab_.client(lab_.client_config());
  const TimePoint now = std::chrono::steady_clock::now();
  EXPECT_FALSE(connect(*server, *client));
  lab_.process_keys->rotate(now + hours(1));
  EXPECT_TRUE(connect(*server, *client)) << "not due";
  lab_.process_keys->rotate(now + hours(9));
  EXPECT_TRUE(connect(*server, *client)) << "one rotation is survived";
  lab_.process_keys->rotate(now + hours(18));
  lab_.process_keys->rotate(now + hours(27));
  EXPECT_FALSE(connect(*server, *client)) << "two are not";
}

TEST_F(TlsResumeTest, AResumedClientIsStillDescribed) {
  const auto server = lab_.server(lab_.server_config(ClientAuth::kRequired));
  ClusterTlsConfig config = lab_.client_config();
  config.client_cert =
      lab_.write("client", lab_.client_ca.issue({.cn = "client", .for_client = true}));
  const auto client = lab_.client(config);
  EXPECT_FALSE(connect(*server, *client));
  EXPECT_TRUE(connect(*server, *client));
  EXPECT_TRUE(verified_);
  EXPECT_EQ(subject_, "CN=client");
}

// The ticket was given when another CA vouched, or when nobody was asked.
TEST_F(TlsResumeTest, ResumptionNeverSkipsAChangedCa) {
  ClusterTlsConfig config = lab_.client_config();
  config.client_cert =
      lab_.write("client", lab_.client_ca.issue({.cn = "client", .for_client = true}));
  const auto client = lab_.client(config);
  const auto before = lab_.server(lab_.server_config(ClientAuth::kOptional));
  EXPECT_FALSE(connect(*before, *client));
  EXPECT_TRUE(connect(*before, *client));

  ListenerTlsConfig changed = lab_.server_config(ClientAuth::kOptional);
  // The same path: it is the content that counts.
  lab_.folder.write("client-ca.pem", test::Authority("Other CA").pem());
  TlsPair refused;
  EXPECT_FALSE(refused.shake(*lab_.server(changed), *client, cache_));
  EXPECT_STREQ(refused.server.tls()->failure_reason(), "certificate verify failed: unknown CA");
}

TEST_F(TlsResumeTest, ResumptionNeverSkipsAChangedClientAuth) {
  ClusterTlsConfig config = lab_.client_config();
  config.client_cert =
      lab_.write("client", lab_.client_ca.issue({.cn = "client", .for_client = true}));
  const auto client = lab_.client(config);
  const ClientAuth modes[] = {ClientAuth::kNone, ClientAuth::kOptional, ClientAuth::kRequired};
  for (const ClientAuth before : modes) {
    for (const ClientAuth after : modes) {
      cache_ = {};
      EXPECT_FALSE(connect(*lab_.server(lab_.server_config(before)), *client));
      EXPECT_EQ(connect(*lab_.server(lab_.server_config(after)), *client), before == after);
      EXPECT_EQ(verified_, after != ClientAuth::kNone);
    }
  }
}

TEST_F(TlsResumeTest, ATicketIsForTheNameThatItWasGivenTo) {
  ListenerTlsConfig config;
  config.certificates = {lab_.issue("two", {.names = {"DNS:a.example", "DNS:b.example"}})};
  const auto server = lab_.server(config);
  // A client that does not care, which ours does.
  const bssl::UniquePtr<SSL_CTX> ctx(SSL_CTX_new(TLS_method()));
  bssl::UniquePtr<SSL_SESSION> kept;
  const auto resumes = [&](const char* name) {
    TlsPair pair;
    pair.server.start_tls(server->new_session());
    const bssl::UniquePtr<SSL> ssl(SSL_new(ctx.get()));
    SSL_set_max_proto_version(ssl.get(), TLS1_2_VERSION);
    SSL_set_fd(ssl.get(), pair.client.fd());
    SSL_set_tlsext_host_name(ssl.get(), name);
    if (kept) SSL_set_session(ssl.get(), kept.get());
    for (int turn = 0; turn < 10; ++turn) {
      SSL_connect(ssl.get());
      pair.set.dispatch();
      pair.server.handshake();
    }
    kept.reset(SSL_get1_session(ssl.get()));
    return SSL_session_reused(ssl.get()) == 1;
  };
  EXPECT_FALSE(resumes("a.example"));
  EXPECT_TRUE(resumes("A.example"));
  EXPECT_FALSE(resumes("b.example"));
}

TEST_F(TlsResumeTest, AClientResumesOnlyUnderTheSameTerms) {
  const auto server = lab_.server(lab_.server_config());
  const ClusterTlsConfig config = lab_.client_config();
  const auto client = lab_.client(config);
  EXPECT_FALSE(connect(*server, *client));
  EXPECT_TRUE(connect(*server, *lab_.client(config))) << "the same config, loaded again";

  // Not verified at first: verifying must not be skipped afterwards.
  ClusterTlsConfig blind = config;
  blind.verify = false;
  cache_ = {};
  EXPECT_FALSE(connect(*server, *lab_.client(blind)));
  EXPECT_FALSE(connect(*server, *client));

  ClusterTlsConfig other_ca = config;
  other_ca.ca = lab_.folder.write("both.pem", lab_.ca.pem() + lab_.client_ca.pem());
  EXPECT_FALSE(connect(*server, *lab_.client(other_ca)));

  ClusterTlsConfig other_name = config;
  other_name.verify = false;
  other_name.sni = "other.example";
  cache_ = {};
  EXPECT_FALSE(connect(*server, *lab_.client(blind)));
  EXPECT_FALSE(connect(*server, *lab_.client(other_name)));
}

TEST_F(TlsResumeTest, ACacheMayDieBeforeTheSessionsThatFillIt) {
  const auto server = lab_.server(lab_.server_config());
  const auto client = lab_.client(lab_.client_config());
  TlsPair pair;
  {
    TlsSessionCache cache;
    ASSERT_TRUE(pair.shake(*server, *client, cache));
  }
  pair.drain(pair.client);
  EXPECT_EQ(pair.last.status, IoResult::Status::kAgain);
}

}  // namespace
}  // namespace weir::net
