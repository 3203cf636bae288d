#include "net/certificate.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

#include "base/status.h"

namespace tidegate::net {
namespace {

template <auto Free>
struct Deleter {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Deleter<X509_free>>;
using Bio = std::unique_ptr<BIO, Deleter<BIO_free_all>>;
using Extension = std::unique_ptr<X509_EXTENSION, Deleter<X509_EXTENSION_free>>;
using GeneralNames = std::unique_ptr<GENERAL_NAMES, Deleter<GENERAL_NAMES_free>>;
using Number = std::unique_ptr<BIGNUM, Deleter<BN_free>>;

// OpenSSL's first reason, and an empty error queue: it is the thread's, and others read it, too.
std::string openssl_reason() {
  const unsigned long error = ERR_get_error();
  ERR_clear_error();
  const char* reason = error == 0 ? nullptr : ERR_reason_error_string(error);
  return reason == nullptr ? "no reason given" : reason;
}

absl::Status failed(std::string_view action) {
  return absl::InternalError(base::cat("OpenSSL could not ", action, ": ", openssl_reason()));
}

Bio reader(std::string_view text) { return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

std::string contents(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return size > 0 ? std::string(data, static_cast<size_t>(size)) : std::string();
}

absl::StatusOr<Certificate> read_certificate(BIO* bio, std::string_view what) {
  Certificate certificate(PEM_read_bio_X509(bio, nullptr, nullptr, nullptr));
  if (!certificate) {
    return absl::InvalidArgumentError(base::cat(what, " is not a PEM certificate: ", openssl_reason()));
  }
  return certificate;
}

int refuse_passphrase(char*, int, int, void*) { return -1; }

absl::StatusOr<Key> read_key(std::string_view pem, std::string_view what) {
  Bio bio = reader(pem);
  Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, refuse_passphrase, nullptr));
  const bool encrypted = pem.find("ENCRYPTED") != std::string_view::npos;
  if (!key && encrypted) {
    ERR_clear_error();
    return absl::InvalidArgumentError(base::cat(what, " is encrypted, and nobody is there to type its passphrase"));
  }
  if (!key) return absl::InvalidArgumentError(base::cat(what, " is not a PEM private key: ", openssl_reason()));
  return key;
}

absl::StatusOr<KeyPair> to_pem(X509* certificate, EVP_PKEY* key) {
  Bio certificate_bio(BIO_new(BIO_s_mem()));
  Bio key_bio(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_X509(certificate_bio.get(), certificate) != 1 ||
      PEM_write_bio_PKCS8PrivateKey(key_bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return failed("write a certificate");
  }
  return KeyPair{contents(certificate_bio.get()), contents(key_bio.get())};
}

absl::Time to_time(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return absl::InfinitePast();
  return absl::FromTM(parts, absl::UTCTimeZone());
}

bool set_random_serial(X509* certificate) {
  std::array<unsigned char, 16> bytes;
  if (RAND_bytes(bytes.data(), bytes.size()) != 1) return false;
  bytes[0] &= 0x7f;  // positive
  bytes[0] |= 0x40;  // never short, never 0
  Number number(BN_bin2bn(bytes.data(), bytes.size(), nullptr));
  return number && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

bool set_name(X509* certificate, const std::string& common_name) {
  if (common_name.empty()) return true;
  return X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(common_name.data()),
                                    static_cast<int>(common_name.size()), -1, 0) == 1;
}

bool set_validity(X509* certificate, absl::Time from, absl::Time to) {
  return ASN1_TIME_set(X509_getm_notBefore(certificate), absl::ToTimeT(from)) != nullptr &&
         ASN1_TIME_set(X509_getm_notAfter(certificate), absl::ToTimeT(to)) != nullptr;
}

bool add_extension(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  Extension extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool add_text_name(GENERAL_NAMES* names, int type, const std::string& text) {
  ASN1_IA5STRING* value = ASN1_IA5STRING_new();
  GENERAL_NAME* name = GENERAL_NAME_new();
  if (value == nullptr || name == nullptr || ASN1_STRING_set(value, text.data(), static_cast<int>(text.size())) != 1 ||
      sk_GENERAL_NAME_push(names, name) == 0) {
    ASN1_IA5STRING_free(value);
    GENERAL_NAME_free(name);
    return false;
  }
  GENERAL_NAME_set0_value(name, type, value);
  return true;
}

bool add_address(GENERAL_NAMES* names, const std::string& text) {
  ASN1_OCTET_STRING* value = a2i_IPADDRESS(text.c_str());
  GENERAL_NAME* name = GENERAL_NAME_new();
  if (value == nullptr || name == nullptr || sk_GENERAL_NAME_push(names, name) == 0) {
    ASN1_OCTET_STRING_free(value);
    GENERAL_NAME_free(name);
    return false;
  }
  GENERAL_NAME_set0_value(name, GEN_IPADD, value);
  return true;
}

bool add_alternative_names(X509* certificate, const LeafRequest& request) {
  GeneralNames names(sk_GENERAL_NAME_new_null());
  for (const std::string& dns : request.dns_names) {
    if (!add_text_name(names.get(), GEN_DNS, dns)) return false;
  }
  for (const std::string& uri : request.uris) {
    if (!add_text_name(names.get(), GEN_URI, uri)) return false;
  }
  for (const std::string& address : request.ip_addresses) {
    if (!add_address(names.get(), address)) return false;
  }
  return X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), 0, X509V3_ADD_APPEND) == 1;
}

absl::StatusOr<Certificate> blank_certificate(const std::string& common_name, absl::Time from, absl::Time to,
                                              EVP_PKEY* key) {
  Certificate certificate(X509_new());
  if (!certificate || X509_set_version(certificate.get(), X509_VERSION_3) != 1 ||
      !set_random_serial(certificate.get()) || !set_name(certificate.get(), common_name) ||
      !set_validity(certificate.get(), from, to) || X509_set_pubkey(certificate.get(), key) != 1) {
    return failed("prepare a certificate");
  }
  return certificate;
}

struct Authority {
  Certificate certificate;
  Key key;
};

absl::StatusOr<Authority> read_authority(const KeyPair& pair, absl::Time now) {
  Bio bio = reader(pair.certificate_pem);
  TG_ASSIGN_OR_RETURN(Certificate certificate, read_certificate(bio.get(), "the authority's certificate"));
  TG_ASSIGN_OR_RETURN(Key key, read_key(pair.private_key_pem, "the authority's key"));
  if (X509_check_private_key(certificate.get(), key.get()) != 1) {
    ERR_clear_error();
    return absl::InvalidArgumentError("the authority's key does not belong to its certificate");
  }
  if (X509_check_ca(certificate.get()) == 0) {
    return absl::InvalidArgumentError("the authority's certificate is not that of an authority");
  }
  if (to_time(X509_get0_notAfter(certificate.get())) <= now) {
    return absl::InvalidArgumentError("the authority's certificate has expired");
  }
  return Authority{std::move(certificate), std::move(key)};
}

std::string ia5_text(const ASN1_IA5STRING* text) {
  return std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                     static_cast<size_t>(ASN1_STRING_length(text)));
}

std::string address_text(const ASN1_OCTET_STRING* octets) {
  char text[INET6_ADDRSTRLEN] = "";
  const int size = ASN1_STRING_length(octets);
  if (size == 4 || size == 16) {
    inet_ntop(size == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(octets), text, sizeof text);
  }
  return text;
}

void read_alternative_names(X509* certificate, CertificateInfo& info) {
  GeneralNames names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  if (!names) return;
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_DNS) info.dns_names.push_back(ia5_text(name->d.dNSName));
    if (name->type == GEN_URI) info.uris.push_back(ia5_text(name->d.uniformResourceIdentifier));
    if (name->type == GEN_IPADD) info.ip_addresses.push_back(address_text(name->d.iPAddress));
  }
}

std::string common_name_of(X509* certificate) {
  X509_NAME* subject = X509_get_subject_name(certificate);
  const int index = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (index < 0) return "";
  unsigned char* text = nullptr;
  const int size = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index)));
  if (size < 0) return "";
  std::string result(reinterpret_cast<char*>(text), static_cast<size_t>(size));
  OPENSSL_free(text);
  return result;
}

// True if one of the certificates in `ca_pem` signed `certificate`.
bool signed_by_any(X509* certificate, std::string_view ca_pem) {
  Bio bio = reader(ca_pem);
  bool found = false;
  while (!found) {
    Certificate authority(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (!authority) break;
    found = X509_verify(certificate, X509_get0_pubkey(authority.get())) == 1;
  }
  ERR_clear_error();
  return found;
}

}  // namespace

absl::StatusOr<KeyPair> make_authority(const AuthorityRequest& request) {
  Key key(EVP_EC_gen("P-256"));
  if (!key) return failed("make a key");
  const absl::Time from = request.now - absl::Minutes(1);
  TG_ASSIGN_OR_RETURN(Certificate certificate,
                      blank_certificate(request.common_name, from, request.now + request.lifetime, key.get()));
  X509* raw = certificate.get();
  if (X509_set_issuer_name(raw, X509_get_subject_name(raw)) != 1 ||
      !add_extension(raw, raw, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
      !add_extension(raw, raw, NID_key_usage, "critical,keyCertSign,cRLSign") ||
      !add_extension(raw, raw, NID_subject_key_identifier, "hash") || X509_sign(raw, key.get(), EVP_sha256()) == 0) {
    return failed("make an authority");
  }
  return to_pem(raw, key.get());
}

absl::StatusOr<KeyPair> issue(const KeyPair& authority, const LeafRequest& request) {
  if (request.dns_names.empty() && request.uris.empty() && request.ip_addresses.empty()) {
    return absl::InvalidArgumentError("a certificate needs at least one DNS name, URI or address");
  }
  TG_ASSIGN_OR_RETURN(Authority signer, read_authority(authority, request.now));
  Key key(EVP_EC_gen("P-256"));
  if (!key) return failed("make a key");
  X509* issuer = signer.certificate.get();
  const absl::Time from = std::max(request.now - absl::Minutes(1), to_time(X509_get0_notBefore(issuer)));
  const absl::Time to = std::min(request.now + request.lifetime, to_time(X509_get0_notAfter(issuer)));
  TG_ASSIGN_OR_RETURN(Certificate certificate, blank_certificate(request.common_name, from, to, key.get()));
  X509* raw = certificate.get();
  if (X509_set_issuer_name(raw, X509_get_subject_name(issuer)) != 1 ||
      !add_extension(raw, issuer, NID_basic_constraints, "critical,CA:FALSE") ||
      !add_extension(raw, issuer, NID_key_usage, "critical,digitalSignature") ||
      !add_extension(raw, issuer, NID_ext_key_usage, "serverAuth,clientAuth") ||
      !add_extension(raw, issuer, NID_subject_key_identifier, "hash") ||
      !add_extension(raw, issuer, NID_authority_key_identifier, "keyid") || !add_alternative_names(raw, request) ||
      X509_sign(raw, signer.key.get(), EVP_sha256()) == 0) {
    return failed("issue a certificate");
  }
  return to_pem(raw, key.get());
}

absl::StatusOr<CertificateInfo> parse_certificate(std::string_view pem) {
  Bio bio = reader(pem);
  TG_ASSIGN_OR_RETURN(Certificate certificate, read_certificate(bio.get(), "the text"));
  CertificateInfo info;
  info.common_name = common_name_of(certificate.get());
  read_alternative_names(certificate.get(), info);
  info.not_before = to_time(X509_get0_notBefore(certificate.get()));
  info.not_after = to_time(X509_get0_notAfter(certificate.get()));
  info.is_authority = X509_check_ca(certificate.get()) != 0;
  return info;
}

absl::Status check_identity(const TlsIdentity& identity) {
  Bio bio = reader(identity.certificate_pem);
  TG_ASSIGN_OR_RETURN(Certificate certificate, read_certificate(bio.get(), "the certificate"));
  TG_ASSIGN_OR_RETURN(Key key, read_key(identity.private_key_pem, "the key"));
  if (X509_check_private_key(certificate.get(), key.get()) != 1) {
    ERR_clear_error();
    return absl::InvalidArgumentError("the key does not belong to the certificate");
  }
  if (!identity.ca_pem.empty() && !signed_by_any(certificate.get(), identity.ca_pem)) {
    return absl::InvalidArgumentError("none of the given authorities signed the certificate");
  }
  return absl::OkStatus();
}

absl::Time renewal_time(const CertificateInfo& info) {
  return info.not_before + (info.not_after - info.not_before) * 2 / 3;
}

bool needs_renewal(const CertificateInfo& info, absl::Time now) { return now >= renewal_time(info); }

}  // namespace tidegate::net
