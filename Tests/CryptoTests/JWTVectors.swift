/// Keys and tokens made with PyJWT and the cryptography package, an implementation independent of ours.
enum JWTVectors {
    /// `exp` of every token here.
    static let expiresAt: Int64 = 4_102_444_800

    /// The public half of the key of `rsaToken`.
    static let rsaJWK = #"""
        {"kid":"rsa","kty":"RSA","n":"23t5wcBGtppC9WdSQrRDgS-HgjqCWMAuxCytCrcOmqV_qVg2A2wy79PcJgmZHzkbVXXaNZ\#
        CK7mYu6PpsNVVoIOo3FaBnPa_Xbp_owOasXSfeSjtnoWhtANpHHmunhHqzrKlTdnHNhukfahjeKhzsy2VNvij69FjY91cuzsvA2I\#
        SKOVW7N3bQDA3Ih5fdw7eH70CdoBnU3C0vBTMA3FKfZRvxwirGyq9odvDEtUuds666izH1igEdUNefrL8Buhyb50Y3XJuvHRN-YN\#
        VyhHEvplkgAhY51Syn-TBvaT-iK5eO02i1QOXlkRWfaK83xcKMtmRqy8iMWMSLrOUUfxKTUw","e":"AQAB"}
        """#

    /// RS256, kid `rsa`, claims sub, role and exp.
    static let rsaToken = #"""
        eyJhbGciOiJSUzI1NiIsImtpZCI6InJzYSIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIwYjlkM2E1ZS0wYzdlLTRjNWEtOWY2ZS0wYTR\#
        iNGQwZjdjMTEiLCJyb2xlIjoiYXV0aGVudGljYXRlZCIsImV4cCI6NDEwMjQ0NDgwMH0.KeLgnRepvt2pQ5Y0-KJl_0kH3haaLs9\#
        -ew1Sa5KM8BSXcngrMEi4t-JYHUJnxIy_wk2fNqy_dAWB-HBbd17TfTKhoW-AeJFfi9pHxNAKGHCMKCN8tv0ZaolMTHFir0VWDvp\#
        HIfct_gidRfrJaBw9_TLCFzBSFomPD57-ri8Qo8yejMVM_6TOSRUlR4XpPALZFVDTLELcKPy7TP2uAD0nqpKQg98DtTzGetHcI9i\#
        -C33lgwZ7eiCQuzWV-iJueZgt9MfkXOVJiPc-8ej-GFt9dacRCtz1e5fuR5NZaaWbAwfsIZ-XxnPizqSaNpwk6ogs-Afk2J_twWo\#
        gc1erO2j_kQ
        """#

    /// The public half of the key of `p256Token`.
    static let p256JWK = #"""
        {"kid":"p256","kty":"EC","crv":"P-256","x":"U_82CMlmoMN8dBgBSz3PG-RcAgfI120stdOu7ARXM7U","y":"eAChAz\#
        L32zg6m73itCY4K7jQVfGKlRbxwlnBOcEkEhg"}
        """#

    /// ES256, kid `p256`, claims sub, role and exp.
    static let p256Token = #"""
        eyJhbGciOiJFUzI1NiIsImtpZCI6InAyNTYiLCJ0eXAiOiJKV1QifQ.eyJzdWIiOiIwYjlkM2E1ZS0wYzdlLTRjNWEtOWY2ZS0wY\#
        TRiNGQwZjdjMTEiLCJyb2xlIjoiYXV0aGVudGljYXRlZCIsImV4cCI6NDEwMjQ0NDgwMH0.eZ3QnZAQjUruG5zdFXeW7FlPUxlCu\#
        GtOuoC2vRsGIvdV89DW9aEf-WrYMmUMHxAc-yUysLSf75YNvQ98GxVYmQ
        """#

    /// The public half of the key of `ed25519Token`.
    static let ed25519JWK = #"""
        {"kid":"ed25519","kty":"OKP","crv":"Ed25519","x":"uI9LV5ql59V_-_dZ_QOXXquEZik9Xk8P6ZB4bRgesrQ"}
        """#

    /// EdDSA, kid `ed25519`, claims sub, role and exp.
    static let ed25519Token = #"""
        eyJhbGciOiJFZERTQSIsImtpZCI6ImVkMjU1MTkiLCJ0eXAiOiJKV1QifQ.eyJzdWIiOiIwYjlkM2E1ZS0wYzdlLTRjNWEtOWY2Z\#
        S0wYTRiNGQwZjdjMTEiLCJyb2xlIjoiYXV0aGVudGljYXRlZCIsImV4cCI6NDEwMjQ0NDgwMH0.Cb9x-O_XSflB9whU0czj69tY-\#
        NAOmswngO0heID9MOwqY_XjYDcj9J9TgkDeZBijZ9g4Fa0aNdZhfFLG9zKIDQ
        """#

    /// An RSA key of 1024 bits.
    static let weakJWK = #"""
        {"kid":"weak","kty":"RSA","n":"waIUrmJcc0v5N6opeA196tfr4ZNNwE_hUcH2BJyqa_F9i5ZsrX9ksNVz0hviErGPE5Qdd\#
        3DZ-mFKFA0N89UI0Pxsv9MXB9nQZMpWMJ6jOl3bW_2EFIgoriLBoEShtDsyT4xn_AEl1XSdKifUtRjoooAIjoewX-deSV-NigPz1\#
        Rc","e":"AQAB"}
        """#

    /// `rsaJWK` in PEM, as a confused verifier would use it for HMAC.
    static let rsaPEM = """
        -----BEGIN PUBLIC KEY-----
        MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA23t5wcBGtppC9WdSQrRD
        gS+HgjqCWMAuxCytCrcOmqV/qVg2A2wy79PcJgmZHzkbVXXaNZCK7mYu6PpsNVVo
        IOo3FaBnPa/Xbp/owOasXSfeSjtnoWhtANpHHmunhHqzrKlTdnHNhukfahjeKhzs
        y2VNvij69FjY91cuzsvA2ISKOVW7N3bQDA3Ih5fdw7eH70CdoBnU3C0vBTMA3FKf
        ZRvxwirGyq9odvDEtUuds666izH1igEdUNefrL8Buhyb50Y3XJuvHRN+YNVyhHEv
        plkgAhY51Syn+TBvaT+iK5eO02i1QOXlkRWfaK83xcKMtmRqy8iMWMSLrOUUfxKT
        UwIDAQAB
        -----END PUBLIC KEY-----

        """
}
