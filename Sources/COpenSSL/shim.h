#pragma once
// EVP, and what Swift cannot import or express safely. An OSSL_PARAM keeps the pointers it is built from, and a Swift
// array passed to C lives for that one call: so keys are built here, where both live in one call.
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

/// A public key of `type` ("RSA", "EC") from finished parameters; null if OpenSSL refuses them.
static inline EVP_PKEY *parley_key_from_parameters(const char *type, OSSL_PARAM_BLD *builder) {
    OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *key = NULL;
    if (parameters == NULL || context == NULL || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1) {
        key = NULL;
    }
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(parameters);
    return key;
}

/// An RSA public key from its big-endian modulus and exponent.
static inline EVP_PKEY *parley_rsa_key(const unsigned char *n, size_t n_length, const unsigned char *e, size_t e_length) {
    BIGNUM *modulus = BN_bin2bn(n, (int)n_length, NULL);
    BIGNUM *exponent = BN_bin2bn(e, (int)e_length, NULL);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    EVP_PKEY *key = NULL;
    if (modulus != NULL && exponent != NULL && builder != NULL &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, exponent) == 1) {
        key = parley_key_from_parameters("RSA", builder);
    }
    OSSL_PARAM_BLD_free(builder);
    BN_free(exponent);
    BN_free(modulus);
    return key;
}

/// A P-256 public key from its uncompressed point (65 bytes); null if the point is not on the curve.
static inline EVP_PKEY *parley_p256_key(const unsigned char *point, size_t length) {
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    EVP_PKEY *key = NULL;
    if (builder != NULL &&
        OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, length) == 1) {
        key = parley_key_from_parameters("EC", builder);
    }
    OSSL_PARAM_BLD_free(builder);
    return key;
}

/// A P-256 key pair from its private scalar and its uncompressed point; null if OpenSSL refuses them.
static inline EVP_PKEY *parley_p256_pair(const unsigned char *scalar, const unsigned char *point) {
    BIGNUM *number = BN_secure_new();
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    OSSL_PARAM *parameters = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    EVP_PKEY *key = NULL;
    if (number != NULL && builder != NULL && context != NULL && BN_bin2bn(scalar, 32, number) != NULL &&
        OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, 65) == 1 &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_PRIV_KEY, number) == 1 &&
        (parameters = OSSL_PARAM_BLD_to_param(builder)) != NULL && EVP_PKEY_fromdata_init(context) == 1 &&
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_KEYPAIR, parameters) != 1) {
        key = NULL;
    }
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(parameters);
    OSSL_PARAM_BLD_free(builder);
    BN_clear_free(number);
    return key;
}

/// A new P-256 key pair; a macro of OpenSSL's.
static inline EVP_PKEY *parley_p256_generate(void) { return EVP_EC_gen("P-256"); }

/// No password: OpenSSL would ask for one at the terminal.
static inline int parley_no_password(char *buffer, int size, int writing, void *context) { return -1; }

/// The private key of a PEM text (PKCS#8, or the older forms), unless it is encrypted; null if there is none.
static inline EVP_PKEY *parley_pem_private_key(const unsigned char *text, size_t length) {
    BIO *memory = BIO_new_mem_buf(text, (int)length);
    EVP_PKEY *key = memory == NULL ? NULL : PEM_read_bio_PrivateKey(memory, NULL, parley_no_password, NULL);
    BIO_free(memory);
    return key;
}

/// Writes an ECDSA signature in DER as r || s of 32 bytes each; returns 1, or 0 if it is none of P-256.
static inline int parley_p256_signature_raw(const unsigned char *der, size_t length, unsigned char *out) {
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &der, (long)length);
    int ok = signature != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(signature), out, 32) == 32 &&
             BN_bn2binpad(ECDSA_SIG_get0_s(signature), out + 32, 32) == 32;
    ECDSA_SIG_free(signature);
    return ok;
}

/// Writes the DER form of an ECDSA signature given as r || s of 32 bytes each; returns its length, or 0.
/// `out` holds 72 bytes, the most two 256-bit integers can take.
static inline int parley_p256_signature_der(const unsigned char *raw, unsigned char *out) {
    ECDSA_SIG *signature = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw, 32, NULL);
    BIGNUM *s = BN_bin2bn(raw + 32, 32, NULL);
    int length = 0;
    if (signature != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(signature, r, s) == 1) {
        r = NULL;  // owned by the signature now
        s = NULL;
        length = i2d_ECDSA_SIG(signature, &out);
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(signature);
    return length < 0 ? 0 : length;
}
