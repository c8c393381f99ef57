// SPDX-License-Identifier: Apache-2.0
// What is wrong with the files that TLS settings name.
#include <gmock/gmock.h>

#include "tls_pair.h"

namespace weir::net {
namespace {

using std::chrono::hours;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class TlsFilesTest : public testing::Test {
 protected:
  /// The one finding of a listener that is not built.
  TlsFinding refusal(const ListenerTlsConfig& config) {
    EXPECT_EQ(lab_.server(config), nullptr);
    EXPECT_EQ(lab_.findings.size(), 1U);
    return lab_.findings.empty() ? TlsFinding{} : lab_.findings.front();
  }
  ListenerTlsConfig with(CertificateConfig certificate) {
    ListenerTlsConfig config;
    certificate.location = {0, 7, 9};
    config.certificates.push_back(std::move(certificate));
    return config;
  }

  TlsLab lab_;
  const CertificateConfig good_ = lab_.issue("good", {.names = {"DNS:a.example"}});
};

TEST_F(TlsFilesTest, ABadCertificateIsNamedWithItsSetting) {
  const auto& folder = lab_.folder;
  const std::string junk = folder.write("junk", "no PEM at all\n");
  const std::string cut = folder.write("cut", "-----BEGIN CERTIFICATE-----\nMIIB\n");
  const std::string not_der =
      folder.write("not_der", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  const std::string encrypted = folder.write(
      "encrypted",
      "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAAwAA==\n-----END ENCRYPTED PRIVATE KEY-----\n");
  const std::string missing = folder.path() + "/missing.pem";
  struct Case {
    std::string cert, key;
    const char* setting;
    std::string message;
  };
  const Case cases[] = {
      {missing, good_.key, ".cert", "cannot read " + missing + ": No such file or directory"},
      {folder.path(), good_.key, ".cert", "cannot read " + folder.path() + ": Is a directory"},
      {junk, good_.key, ".cert", "there is no PEM certificate in " + junk},
      {cut, good_.key, ".cert", cut + " is not whole: a PEM block in it is broken"},
      {not_der, good_.key, ".cert", "certificate 1 in " + not_der + " cannot be parsed"},
      {good_.key, good_.key, ".cert", "there is no PEM certificate in " + good_.key},
      {good_.cert, missing, ".key", "cannot read " + missing + ": No such file or directory"},
      {good_.cert, junk, ".key", "there is no PEM private key in " + junk},
      {good_.cert, encrypted, ".key", "the private key in " + encrypted + " is encrypted"},
      {good_.cert, lab_.issue("other", {}).key, ".key",
       "the key in " + folder.path() + "/other.key does not match " + good_.cert},
  };
  for (const Case& each : cases) {
    const TlsFinding finding = refusal(with({each.cert, each.key, {}}));
    EXPECT_TRUE(finding.error);
    EXPECT_EQ(finding.message, each.message);
    EXPECT_EQ(finding.key, "tls.certificates[" + each.cert + "]" + each.setting);
    EXPECT_EQ(finding.location.line, 7U);
    EXPECT_FALSE(finding.hint.empty()) << each.message;
  }
}

TEST_F(TlsFilesTest, AllThatIsWrongIsToldAtOnce) {
  ListenerTlsConfig config = with({"/nowhere/a.pem", "/nowhere/a.key", {}});
  config.certificates.push_back({"/nowhere/b.pem", "/nowhere/b.key", {}});
  config.client_auth = ClientAuth::kRequired;
  config.client_ca = "/nowhere/ca.pem";
  config.session_tickets.key_files = {"/nowhere/ticket.key"};
  EXPECT_EQ(lab_.server(config), nullptr);
  std::vector<std::string> keys;
  for (const TlsFinding& finding : lab_.findings) keys.push_back(finding.key);
  EXPECT_THAT(
      keys, testing::UnorderedElementsAre("tls.certificates[/nowhere/a.pem].cert",
                                          "tls.certificates[/nowhere/b.pem].cert", "tls.client_ca",
                                          "tls.session_tickets.key_files"));
}

TEST_F(TlsFilesTest, ExpiryIsAWarning) {
  struct Case {
    hours from, to;
    const char* said;  ///< Empty: nothing.
  };
  const Case cases[] = {
      {hours(-1), hours(24 * 31), ""},
      {hours(-1), hours(24 * 29), "expires on "},
      {hours(-48), hours(-24), "expired on "},
  };
  for (const Case& each : cases) {
    const auto server =
        lab_.server(with(lab_.issue("x", {.cn = "x", .from = each.from, .to = each.to})));
    ASSERT_NE(server, nullptr);
    if (*each.said == '\0') {
      EXPECT_THAT(lab_.findings, IsEmpty());
      continue;
    }
    ASSERT_EQ(lab_.findings.size(), 1U);
    EXPECT_FALSE(lab_.findings[0].error);
    EXPECT_THAT(lab_.findings[0].message, HasSubstr("x.pem (CN=x) " + std::string(each.said)));
  }
}

TEST_F(TlsFilesTest, FactsOfTheCertificatesInForce) {
  ListenerTlsConfig config = with(good_);
  config.certificates.push_back(lab_.issue(
      "two", {.cn = "two", .names = {"DNS:B.example", "IP:10.0.0.1", "DNS:*.c.example"}}));
  config.certificates.push_back(lab_.issue("cn", {.cn = "D.example"}));
  const auto server = lab_.server(config);
  ASSERT_NE(server, nullptr);
  const auto facts = server->certificates();
  ASSERT_EQ(facts.size(), 3U);
  EXPECT_EQ(facts[0].file, good_.cert);
  EXPECT_EQ(facts[1].subject, "CN=two");
  EXPECT_THAT(facts[1].names, ElementsAre("b.example", "*.c.example"));
  EXPECT_THAT(facts[2].names, ElementsAre("d.example"));
  const auto left = facts[0].not_after - std::chrono::system_clock::now();
  EXPECT_NEAR(static_cast<double>(left / hours(1)), 90 * 24, 2);
}

TEST_F(TlsFilesTest, TicketKeysHaveOneOfTwoSizes) {
  for (const size_t size : {0U, 16U, 47U, 49U, 64U, 81U}) {
    ListenerTlsConfig config = with(good_);
    const std::string file = lab_.folder.write("ticket", std::string(size, 'k'));
    config.session_tickets.key_files = {file};
    EXPECT_EQ(refusal(config).message,
              "the ticket key " + file + " has " + std::to_string(size) + " bytes, not 48 or 80");
  }
}

TEST_F(TlsFilesTest, CasMustBeThere) {
  ListenerTlsConfig config = with(good_);
  config.client_auth = ClientAuth::kOptional;
  EXPECT_EQ(refusal(config).key, "tls.client_ca");
  config.client_ca = lab_.folder.write("empty.pem", "");
  EXPECT_EQ(refusal(config).message, "there is no PEM certificate in " + config.client_ca);

  ClusterTlsConfig cluster;
  cluster.ca = config.client_ca;
  EXPECT_EQ(lab_.client(cluster), nullptr);
  ASSERT_EQ(lab_.findings.size(), 1U);
  EXPECT_EQ(lab_.findings[0].key, "tls.ca");
  cluster.verify = false;
  EXPECT_NE(lab_.client(cluster), nullptr) << "not read if nothing is verified";
  cluster.client_cert = CertificateConfig{"/nowhere/c.pem", "/nowhere/c.key", {}};
  EXPECT_EQ(lab_.client(cluster), nullptr);
  ASSERT_EQ(lab_.findings.size(), 1U);
  EXPECT_EQ(lab_.findings[0].key, "tls.client_cert.cert");
}

TEST_F(TlsFilesTest, PathsAreLocatedBeforeTheyAreOpened) {
  ListenerTlsConfig config = with({"good.pem", "good.key", {}});
  config.client_auth = ClientAuth::kOptional;
  config.client_ca = "ca.pem";
  config.session_tickets.key_files = {"ticket"};
  lab_.folder.write("ca.pem", lab_.client_ca.pem());
  lab_.folder.write("ticket", std::string(48, 'k'));
  TlsFindings findings;
  TlsBuild build(lab_.process_keys, std::chrono::system_clock::now(),
                 [this](const std::string& path) { return lab_.folder.path() + "/" + path; });
  const auto server = TlsServerContext::build(config, build, findings);
  ASSERT_NE(server, nullptr) << findings.front().message;
  EXPECT_EQ(server->certificates()[0].file, "good.pem") << "as the settings name it";
}

}  // namespace
}  // namespace weir::net
