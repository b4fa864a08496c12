// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Files of the state directory.
const (
	kubeconfigFile = "kubeconfig"
	pidFile        = "pid"
	logsDir        = "logs"
	pkiDir         = "pki"
	imagesDir      = "images"
)

// authority signs the certificates of everybody in the cluster.
type authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
}

// writeIdentities makes the keys, certificates and kubeconfigs of the cluster's programs and of its
// administrator.
func (c *cluster) writeIdentities() error {
	ca := &authority{}
	var err error
	if ca.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return fmt.Errorf("making a key: %w", err)
	}
	root := &x509.Certificate{Subject: pkix.Name{CommonName: "onenode"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	ca.certificate = root
	der, err := ca.sign(root, ca.key.Public())
	if err != nil {
		return err
	}
	if ca.certificate, err = x509.ParseCertificate(der); err != nil {
		return fmt.Errorf("reading a certificate back: %w", err)
	}
	if err := c.writePair("ca", der, ca.key); err != nil {
		return err
	}
	server := &x509.Certificate{
		Subject: pkix.Name{CommonName: "kube-apiserver"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IPAddresses: []net.IP{net.ParseIP(serviceAddress)}, DNSNames: []string{"kubernetes.default.svc"},
	}
	if err := c.issue(ca, "apiserver", server); err != nil {
		return err
	}
	// Signs service account tokens; only its key is used.
	if err := c.issue(ca, "accounts", &x509.Certificate{}); err != nil {
		return err
	}
	for file, subject := range map[string]pkix.Name{
		kubeconfigFile:            {CommonName: "admin", Organization: []string{"system:masters"}},
		"kubelet-client":          {CommonName: "kube-apiserver", Organization: []string{"system:masters"}},
		"kubelet":                 {CommonName: "system:node:" + nodeName, Organization: []string{"system:nodes"}},
		"kube-controller-manager": {CommonName: "system:kube-controller-manager"},
		"kube-scheduler":          {CommonName: "system:kube-scheduler"},
	} {
		client := &x509.Certificate{Subject: subject, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
		if err := c.issue(ca, file, client); err != nil {
			return err
		}
		if err := c.writeKubeconfig(file); err != nil {
			return err
		}
	}
	return nil
}

// issue writes a key and a certificate for it.
func (c *cluster) issue(ca *authority, name string, template *x509.Certificate) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("making a key: %w", err)
	}
	der, err := ca.sign(template, key.Public())
	if err != nil {
		return err
	}
	return c.writePair(name, der, key)
}

func (a *authority) sign(template *x509.Certificate, key crypto.PublicKey) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 64))
	if err != nil {
		return nil, fmt.Errorf("making a serial number: %w", err)
	}
	template.SerialNumber = serial
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().AddDate(0, 1, 0)
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key, a.key)
	if err != nil {
		return nil, fmt.Errorf("signing the certificate of %q: %w", template.Subject.CommonName, err)
	}
	return der, nil
}

func (c *cluster) writePair(name string, certificate []byte, key crypto.Signer) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("encoding a key: %w", err)
	}
	for file, block := range map[string]*pem.Block{
		c.certificate(name): {Type: "CERTIFICATE", Bytes: certificate},
		c.key(name):         {Type: "PRIVATE KEY", Bytes: der},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			return fmt.Errorf("writing an identity: %w", err)
		}
	}
	return nil
}

func (c *cluster) certificate(name string) string { return c.path(pkiDir, name+".crt") }

func (c *cluster) key(name string) string { return c.path(pkiDir, name+".key") }

// writeKubeconfig writes the kubeconfig of whom the certificate of that name is for, complete in one
// file.
func (c *cluster) writeKubeconfig(name string) error {
	config := clientcmdapi.NewConfig()
	config.Clusters[name] = &clientcmdapi.Cluster{Server: "https://" + serviceAddress, CertificateAuthority: c.certificate("ca")}
	config.AuthInfos[name] = &clientcmdapi.AuthInfo{ClientCertificate: c.certificate(name), ClientKey: c.key(name)}
	config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	config.CurrentContext = name
	if err := clientcmdapi.FlattenConfig(config); err != nil {
		return fmt.Errorf("writing a kubeconfig: %w", err)
	}
	if err := clientcmd.WriteToFile(*config, c.path(name)); err != nil {
		return fmt.Errorf("writing a kubeconfig: %w", err)
	}
	return nil
}
