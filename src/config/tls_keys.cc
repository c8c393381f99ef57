// SPDX-License-Identifier: Apache-2.0
// Keys under `tls`, of a listener and of a cluster. Files are named here and opened elsewhere: that
// they can be read and fit together is for the one who opens them to say.
#include "config/http_words.h"
#include "config/keys.h"
#include "config/lists.h"
#include "config/scalars.h"

namespace weir::config {

namespace {

CodecPtr<CertificateConfig> certificate_section() {
  using S = CertificateConfig;
  return section<S>({
      key("cert", &S::cert, file_path(), "PEM file of the chain, leaf first.", KeyUse::kRequired),
      key("key", &S::key, file_path(), "PEM file of the private key that belongs to it.",
          KeyUse::kRequired),
  });
}

CodecPtr<SessionTicketsConfig> session_tickets_section() {
  using S = SessionTicketsConfig;
  return section<S>(
      {
          key("enabled", &S::enabled, boolean(),
              "Whether clients get tickets, with which they resume a session."),
          key("key_files", &S::key_files, list_of(file_path(), Repeats::kRefused),
              "Files of 48 random bytes; the first seals, all open; none: a key of the process."),
      },
      [](Reader& reader, NodeId id, S& tickets) {
        if (tickets.enabled || tickets.key_files.empty()) return;
        const Reader::Step step(reader, "key_files");
        reader.warning(reader.find(id, "key_files"),
                       {"not used, because there are no tickets", "set enabled: true"});
      });
}

// Says `finding` about the list under `key` if it is there and has nothing in it.
void refuse_empty(Reader& reader, NodeId id, std::string_view key, Finding finding) {
  const Document& document = reader.document();
  const NodeId list = reader.find(id, key);
  if (list == Document::kNone || document.kind(list) != NodeKind::kList) return;
  if (document.first_child(list) != Document::kNone) return;
  const Reader::Step step(reader, key);
  reader.error(list, std::move(finding));
}

void refuse_repeated_certificates(Reader& reader,
                                  const std::vector<CertificateConfig>& certificates) {
  const Reader::Step step(reader, "certificates");
  for (std::size_t i = 0; i < certificates.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (certificates[i].cert.empty() || certificates[i].cert != certificates[j].cert) continue;
      reader.error_at(certificates[i].location,
                      {"`" + certificates[i].cert + "` is there twice", "list it once"});
      break;
    }
  }
}

void check_client_auth(Reader& reader, NodeId id, const ListenerTlsConfig& tls) {
  // A client_ca that could not be read is there all the same.
  const NodeId ca = reader.find(id, "client_ca");
  const bool has_ca = ca != Document::kNone && !reader.document().is_null(ca);
  const bool asks = tls.client_auth != ClientAuth::kNone;
  if (asks && !has_ca) {
    const Reader::Step step(reader, "client_auth");
    reader.error(reader.find(id, "client_auth"),
                 {"no certificate could be believed without `client_ca`",
                  "add client_ca: clients.pem, the CAs that sign the clients' certificates"});
  }
  if (!asks && has_ca) {
    const Reader::Step step(reader, "client_ca");
    reader.warning(ca, {"not used, because no client is asked for a certificate",
                        "set client_auth: optional or required"});
  }
}

void check_listener_tls(Reader& reader, NodeId id, ListenerTlsConfig& tls) {
  refuse_empty(reader, id, "certificates",
               {"tls without a certificate", "list one: [{cert: edge.pem, key: edge.key}]"});
  refuse_empty(
      reader, id, "alpn",
      {"no protocol to agree on", "write [h2, http/1.1], or [http/1.1] to go without HTTP/2"});
  refuse_repeated_certificates(reader, tls.certificates);
  check_client_auth(reader, id, tls);
}

}  // namespace

CodecPtr<ListenerTlsConfig> listener_tls_section() {
  using S = ListenerTlsConfig;
  static const auto table = section<S>(
      {
          key("certificates", &S::certificates,
              section_list<CertificateConfig>(
                  certificate_section(), [](const auto& c) -> std::string_view { return c.cert; }),
              "Each {cert: FILE, key: FILE}; chosen by SNI, the first answers unknown names.",
              KeyUse::kRequired),
          key("min_version", &S::min_version,
              enumeration<TlsVersion>({{"1.2", TlsVersion::kTls12}, {"1.3", TlsVersion::kTls13}}),
              "The oldest version of TLS that is spoken."),
          key("alpn", &S::alpn,
              list_of(enumeration<Alpn>({{"h2", Alpn::kH2}, {"http/1.1", Alpn::kHttp11}}),
                      Repeats::kRefused),
              "Protocols to agree on, in the order of preference."),
          key("client_ca", &S::client_ca, word_or("null", file_path()),
              "PEM file of the CAs whose client certificates are believed."),
          key("client_auth", &S::client_auth,
              enumeration<ClientAuth>({{"none", ClientAuth::kNone},
                                       {"optional", ClientAuth::kOptional},
                                       {"required", ClientAuth::kRequired}}),
              "Whether clients are asked for a certificate, and whether they must have one."),
          key("forward_client_cert", &S::forward_client_cert, boolean(),
              "Send a verified client certificate upstream as Client-Cert (RFC 9440)."),
          key("session_tickets", &S::session_tickets, session_tickets_section(),
              "How sessions are resumed."),
          key("handshake_timeout", &S::handshake_timeout, duration(Zero::kRefused),
              "From accept to the end of the handshake."),
      },
      check_listener_tls);
  return table;
}

CodecPtr<ClusterTlsConfig> cluster_tls_section() {
  using S = ClusterTlsConfig;
  static const auto table = section<S>(
      {
          key("ca", &S::ca, word_or("system", file_path()),
              "PEM file of the CAs that sign the servers' certificates; system: the machine's."),
          key("sni", &S::sni, word_or("auto", server_name()),
              "The name to ask for and to verify; auto takes the endpoint's configured name."),
          key("verify", &S::verify, boolean(),
              "Refuse servers whose certificate does not verify; false believes anybody."),
          key("client_cert", &S::client_cert, optional(certificate_section()),
              "What weir shows to servers that ask for a certificate.", KeyUse::kAlternative),
      },
      [](Reader& reader, NodeId id, S& tls) {
        if (tls.verify) return;
        const Reader::Step step(reader, "verify");
        reader.warning(reader.find(id, "verify"),
                       {"any server is believed, so whoever is on the way can read and change all",
                        "give ca: the file of the CA that signs the servers' certificates"});
      });
  return table;
}

}  // namespace weir::config
