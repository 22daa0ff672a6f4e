"""The connection type: keys, schemes and labels as Azure Pipelines has them, and additions that say so."""

from __future__ import annotations

from sluice.plugin import ConnectionType, Field, Scheme, Url

KUBECONFIG = "Kubeconfig"
SERVICE_ACCOUNT = "ServiceAccount"
AZURE = "AzureSubscription"

OF_AZURE = ("authorizationType", AZURE)
"""Fields of the one method go with its name alone."""

CLOUDS = ("AzureCloud", "AzureChinaCloud", "AzureUSGovernment", "AzureGermanCloud")

_NAME = r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?"
_CLUSTER_ID = (
    r"(?i)/subscriptions/[0-9a-f-]{36}/resourcegroups/[\w.()-]{1,90}"
    r"/providers/microsoft\.containerservice/managedclusters/[\w-]{1,63}"
)

KUBERNETES = ConnectionType(
    "kubernetes",
    "Kubernetes",
    summary="Kubernetes API server.",
    url=Url(
        label="Server URL",
        help="Address of the API server. Needed for a service account; a kubeconfig names its own.",
        required=False,
    ),
    schemes=(
        Scheme(
            "Kubernetes",
            "Kubeconfig, or Azure subscription",
            (
                Field(
                    "kubeconfig",
                    "Kubeconfig",
                    secret=True,
                    kind="multiline",
                    help="Whole kubeconfig text, with all certificates and keys in it "
                    "('kubectl config view --flatten --minify --raw').",
                ),
                Field(
                    "clusterContext",
                    "Cluster context",
                    help="Context to make current; without it the file's own current one is used.",
                ),
                Field(
                    "azureEnvironment",
                    "Azure Environment",
                    kind="choice",
                    choices=CLOUDS,
                    help="Azure cloud; AzureCloud where it is left out.",
                    when=OF_AZURE,
                ),
                Field("azureTenantId", "Tenant Id", help="Entra tenant.", when=OF_AZURE),
                Field(
                    "spnId",
                    "SPN Id",
                    help="Application id of the service principal that asks for credentials.",
                    when=OF_AZURE,
                ),
                Field("spnKey", "SPN Key", secret=True, help="Its client secret.", when=OF_AZURE),
                Field("apiToken", "API Token", secret=True, generated=True, help="Base64 service-account token."),
                Field(
                    "serviceAccountCertificate",
                    "Certificate",
                    secret=True,
                    generated=True,
                    help="Base64 CA certificate that goes with it.",
                ),
                Field("serviceAccountName", "Service Account Name", generated=True, help="Created service account."),
                Field("secretName", "Secret Name", generated=True, help="Its secret."),
                Field("roleBindingName", "Role Binding Name", generated=True, help="Its role binding."),
                Field("azureAccessToken", "Access Token", secret=True, generated=True, help="One-time token."),
                Field(
                    "accessTokenFetchingMethod", "Access Fetching Method", generated=True, help="How it was obtained."
                ),
                Field("spnCreationMethod", "SPN Creation Method", generated=True, help="How the principal came to be."),
            ),
        ),
        Scheme(
            "Token",
            "Service account",
            (
                Field(
                    "apitoken",
                    "API Token",
                    secret=True,
                    required=True,
                    kind="multiline",
                    help="The whole Secret object of a service account (YAML or JSON), its token as it stands there "
                    "(base64), or a token as 'kubectl create token' prints it.",
                ),
                Field(
                    "serviceAccountCertificate",
                    "Certificate",
                    secret=True,
                    kind="multiline",
                    help="CA certificate of the cluster, as in the Secret (base64) or as PEM text. Not needed with a "
                    "whole Secret object, or when the machine's own authorities know the server.",
                ),
                Field(
                    "isCreatedFromSecretYaml",
                    "isCreatedFromSecretYaml",
                    generated=True,
                    help="Marks a connection entered through the Secret box.",
                ),
            ),
        ),
    ),
    data=(
        Field(
            "authorizationType",
            "Authorization Type",
            kind="choice",
            choices=(KUBECONFIG, SERVICE_ACCOUNT, AZURE),
            help="Which form the connection uses. Left out it is ServiceAccount for the scheme Token, else Kubeconfig.",
        ),
        Field(
            "acceptUntrustedCerts",
            "Accept untrusted certificates",
            kind="boolean",
            help="Skip verification of the API server certificate: whoever is on the way can read the credentials.",
            caution="nobody checks the server's certificate (acceptUntrustedCerts)",
        ),
        Field("azureSubscriptionId", "Azure Subscription Id", help="Subscription of the cluster.", when=OF_AZURE),
        Field("azureSubscriptionName", "Azure Subscription Name", help="Name of that subscription.", when=OF_AZURE),
        Field(
            "clusterId",
            "AKS Cluster",
            address=True,
            validation=_CLUSTER_ID,
            validation_message="give the cluster's ARM id: /subscriptions/ID/resourcegroups/GROUP/providers/"
            "Microsoft.ContainerService/managedClusters/NAME",
            help="ARM id of the cluster.",
            when=OF_AZURE,
        ),
        Field(
            "namespace",
            "Namespace",
            validation=_NAME,
            validation_message="it is no name of a namespace",
            help="Namespace that tasks work in when they name none.",
        ),
        Field(
            "clusterAdmin",
            "Use cluster admin credentials",
            kind="boolean",
            help="Use the cluster's admin credentials.",
            when=OF_AZURE,
        ),
        Field("operation.type", "Operation Type", generated=True, help="Operation of the set-up job."),
        Field("operation.createNamespace", "createNamespace", generated=True, help="Create the namespace."),
        Field(
            "operation.createOrReuseNamespace",
            "createOrReuseNamespace",
            generated=True,
            help="Create the namespace when missing.",
        ),
        Field(
            "boundServiceAccount",
            "Bound service account (an addition of Sluice)",
            validation=f"{_NAME}/{_NAME}",
            validation_message="give NAMESPACE/NAME of a service account",
            help="NAMESPACE/NAME: each use gets a short-lived token of this service account (TokenRequest); the stored "
            "credentials are used for nothing else.",
        ),
        Field(
            "boundTokenSeconds",
            "Life of a bound token (an addition of Sluice)",
            kind="number",
            help="Seconds, 600 at least; 3600 where it is left out.",
        ),
    ),
)
