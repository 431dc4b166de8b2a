/// Private keys and what was made with them by Python's cryptography package.
enum KeyVectors {
    /// PKCS#8, as Apple hands out `.p8` files.
    static let p256PEM = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgkWjy1egnbDGu3Y5z
        HZo7FdWu13zVH2jrJpFfuauRWdKhRANCAASFp8QEBXHALP5JvRjqf+PmdqAUMhED
        dV12UpnFdu6tC/6TodnF6V0R8ISz+WNS/6pYMDHA50qrOEGEe5Aqvmfk
        -----END PRIVATE KEY-----
        """

    /// The public half of `p256PEM`, uncompressed.
    static let p256Point = #"""
        BIWnxAQFccAs_km9GOp_4-Z2oBQyEQN1XXZSmcV27q0L_pOh2cXpXRHwhLP5Y1L_qlgwMcDnSqs4QYR7kCq-Z-Q
        """#

    /// RSA of 2048 bits.
    static let rsaPEM = """
        -----BEGIN PRIVATE KEY-----
        MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQC3BGNu/zTpT/Cu
        M/yd4nxcDTGYMcFzfUcN9BqRr58RoLxKhSIk9InE1yxdhSJ3O+2DGM/6vXi9zo7a
        Y4jRMM43b9rTO7r/cJCTLm+3iAq2bpMrnLRZyyYiezX2GPJoHEoKiP6Paw6KQFA/
        6WgYtLLYv8ymqa/tM4SH1G/RKiPpjzyGWgMcPE1LZNFM06IvzYWIIDobtE7ruKZR
        m8aJVSzDkqKR9cddklDtANZHend18LmPRjpocKWNpuN7so5v/aeI+LLM1sWF0tGS
        LeeAPcLvRlxvEgG1ds399nSSbGbf9tZ/Pp4J84Ib4v/Iz9HZq7EJKxCLVSWWXkGZ
        VF+v18GTAgMBAAECggEAG/ndwT/dtLR1lAt6WCAg5mlV5W/lpGPIEsf3r8FqzWUG
        o1WKjJ+c16wUqg8J37QXcGzAjhGcfVcv2w5QAbo2K587kgKVaSqpzvXQOfvft1db
        w9TmdLtrDuZKr13M4EFCyC18zCuPQ27lVX+2W+BzXlKjU+6oZ9fyMFk25oBMkQ0D
        2+q+UgcD1YgejxsGnOUmK302TtL0CQwTYDHMvuufxa/Zmk6Fvk0afNLhD8RAFpRc
        RGr9mAyRYCEd89ZGOoPjumeiCtl7dmW0Fs9xop8Ihi8gweUURJxOWKbJ7hWq9bQC
        9DOyze8NdovII8Zv/02NCg3ujtU9XoBfF/jBAzdk4QKBgQDn+ordP9kkVdSD01JR
        f0o4neIEXQElv08BXOlrS6cBE4LzRcy7bemQ1Tc+ZxF73Kpbzrgp39v8hz2phcrD
        /RV3Vg5465SIfsruxxfm+JiIIEN8civeykIkRwyKs93WkcjIRGHMEEqZX7o9J8UF
        yJ2/qJf9bkQKuvTrc0YvyIxaywKBgQDJ9/A1bduS8XnqPiDUme3icNOAaazNLddC
        nfzL93/mdDkz3h8hYWdqB2XibTrwLjEvlO17oRvA3+oEOL+4cEwmOa1yfskn0hqu
        ZPvs9C6HFO+VSv8Flzh4uoNtWRKzylj4MmnAGMnJd5dxU9q11111TA4tnno6mg0L
        ugRZZ2lzWQKBgGfMBw5wXyyO6wQBLjghCIjEvDjPlI/bRfKKLDdCJnuoy1MmzDCh
        QXz4qjtVytDtL5zcpjK2Y6xepwyPPObs+wnmi5s3bcKVWR/2HY/PdBCUvx2TyGVr
        gqTQ1Z/KU1yK5pgVYNz5/ScbWi26+cFYvpzfRwKyr+dNOAGSFrmStpp5AoGBALQb
        SXesBxIsCydLziUpO80iBkpOco3qYjsC/mu5w7H0VQqe+y3eWcVg4YehFt0WpEAl
        U/5atpAyXdLz9Gx6oD26U6V10NaU87wvS8WMH23QyrJc1bzblL18vjUmKJpySRLU
        ih+HO3NRFZk3SSO98ZbngwFFgQR/WkDp2nUL1irJAoGBAKBz9l3yIfqVFBbwE4rO
        yryZuDhbBr3dgqATdo3sE54xFaAfgmO890dDfO8z9tHjv4Ku2bAns9whzy3j3VVH
        6Sfor1gDROu/d0aqfY3XrhA0+MlIgRZ/UD7EMiIcfX+BjPbdM2fIemSML4xLDSkC
        CLVSu7bJBmAK5b+kpjCcnsbK
        -----END PRIVATE KEY-----
        """

    /// The claims `{"iss":"service","exp":4102444800}` signed with `rsaPEM`: PKCS#1 v1.5 has one signature only.
    static let rsaToken = #"""
        eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6Im9uZSJ9.eyJpc3MiOiJzZXJ2aWNlIiwiZXhwIjo0MTAyNDQ0ODAwfQ.\#
        JtIH7CmgfQKnc9Ve7ibsSNsVV0cex2gs0zwKekZOGxmsgwX8xCBFcSzRzNvMyAG2_S9mrKg0aXoVx87ofOSfBSb9QMKu-\#
        vyCG5X-rGELO0AjiVEMqPtGmINs4CdfB4chEfCVEeI4fY9-gHGwqikw6wrsvgaTD2KUD0EvDJk1ueUxSNnHhd0WGK-\#
        dM8nJkNbCU2bgg7X1wGF0LpKVJf1Vrp2rXvGWnI8zhkMIpgdgmWrmnF-\#
        QIKYAz1zQDcMGzxZis8sC2nLWWxsVnbLlRhTlnqhtPElcbBcby_8fs3aIXzEzY-WiKk6NAi-1QV4SnvLKqx-\#
        iplJGN1w_cEtDRLnWlA
        """#

    /// What no signer takes: an RSA key of 1024 bits, a P-384 key, one under a password, a public key.
    static let refusedPEMs = [
        """
        -----BEGIN PRIVATE KEY-----
        MIICdwIBADANBgkqhkiG9w0BAQEFAASCAmEwggJdAgEAAoGBAM0AiXrZ1QTMrjv7
        3WjLi2rmKA/SVNemLeQcs3623Wu27OFmZP5fgDnjx646GPeMfy86F41aOOiinxf7
        dlkjYE4Xw/+nQazkSTZo7eseATmlbI80f71W0qxqxu+rq+lZNc/Pn7GsiCIeOD93
        7L6VDi+RJZ8bLkD9wt69PIJinUKBAgMBAAECgYBF1vP/VWzb+Ls3FkRE6msx3P0y
        /q4G1cd2mkyQU841XxluZMrtWi2+CxrBAWv2EfhWZ40Ui/MtVhGrQvD7xzCMbiw4
        L4nYxgFH7Mjev4S+xWYk55mf83HP61g4IDk+rhgxp7462bFR2U/+RqzQfvc9+0A5
        fzLY4Te9GJ/bskcpnQJBAOptUi6QZDsmRASzGs2NAtERPtg9iavFuRKAHErxKLKe
        3Io81X8f3JD8yD4eW0q25BXarVnlPde+q8zwOyf3NicCQQDf3gR3X6GdeZtxzsl5
        4t5ePz3nNU7LuEJMJ9PvQiHJSXpRTPQM41FjhWE/2QPLCaXrVeWwINLC8ZAv3Zr2
        mZMXAkEAxcFk41zxAKi+FkzUnnOG3cCziA0Zdur7vayOsXWQhGXY21CINY42LaTg
        cu5+yp9P91OaiswEiFwTZ3V8IbG8XwJBAN/PJsfxY7H8EdwF0Id6uLWgpFKyiMRC
        woVAjDF2/DAwtYjyVktMN+I3RrJ+U7x5ONe+WJNtPUiIGI7CDlrbzqECQB4at0mW
        3pq+sAJUSUMHRZPZN/alCnXywLSRa2Shq76FOtHkGKi6Jir4p+MCkQgs3f5XdR8y
        +II/BK9cwi2KmRU=
        -----END PRIVATE KEY-----
        """,
        """
        -----BEGIN PRIVATE KEY-----
        MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDAmSaJPW0lGclfTGhH/
        lhLOO54PYAjqDRVHemoGM1NHGixsER/2y+kABaqG+zA3vG+hZANiAAQQRQpEIRk4
        V+s4XsQgO5cvj6NUtye9gbqwfyPSMWoV+L0i7HVxVlfgpKIoGpbxugqrYYfRNykh
        INlDZ3L5XNOrzCrTGNwgq5VY71wQ3o1FQdAKT/Rt4knwztCL2p27Szo=
        -----END PRIVATE KEY-----
        """,
        """
        -----BEGIN ENCRYPTED PRIVATE KEY-----
        MIH0MF8GCSqGSIb3DQEFDTBSMDEGCSqGSIb3DQEFDDAkBBAYwQRPiqaI3O1MxhUa
        1MNLAgIIADAMBggqhkiG9w0CCQUAMB0GCWCGSAFlAwQBKgQQpd5pqULizHS5mBdj
        NTmL/ASBkIOlM2Nuq2fW1IpO9D2CDcZPhRHOS3uFVcItvhv9mo2M6c1JtJu128EY
        zIA8AftxgUglWhD17Shz55CFggYpPX+a4tGvwHFPLBsb5t353IfNzE+OrouguHs3
        H0cCZHEgheR0+2RwmJCssZrB9ufFBcxrF2xXGCDo8Pffc2a6y5XJFRSzIWNb4BVg
        bodduL3voA==
        -----END ENCRYPTED PRIVATE KEY-----
        """,
        """
        -----BEGIN PUBLIC KEY-----
        MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEhafEBAVxwCz+Sb0Y6n/j5nagFDIR
        A3VddlKZxXburQv+k6HZxeldEfCEs/ljUv+qWDAxwOdKqzhBhHuQKr5n5A==
        -----END PUBLIC KEY-----
        """,
        "",
    ]
}
