#include "net/tls_peer.h"

#include <openssl/x509v3.h>

#include <memory>

namespace tidegate::net {

bool peer_has_uri_san(const SSL& ssl, std::string_view uri) {
  const X509* certificate = SSL_get0_peer_certificate(&ssl);
  if (!certificate) return false;
  std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)> names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)),
      &GENERAL_NAMES_free);
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_URI) continue;
    const ASN1_IA5STRING* text = name->d.uniformResourceIdentifier;
    const std::string_view value(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                                 static_cast<size_t>(ASN1_STRING_length(text)));
    if (value == uri) return true;
  }
  return false;
}

}  // namespace tidegate::net
