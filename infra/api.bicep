// The API: public ingress, 0 to 10 replicas by requests in flight.
// Deployed by `azd deploy` after the image was pushed, with api.parameters.json; by hand:
// `az deployment group create -g rg-NAME -f infra/api.bicep -p …`.
targetScope = 'resourceGroup'

@description('Azure region.')
param location string

@description('Name of the azd environment, for its tag.')
param environmentName string

@description('keyless or keyVault, as in main.bicep.')
@allowed(['keyless', 'keyVault'])
param credentialMode string

@description('Name of the app.')
param appName string

@description('The image, in the registry below; a tag that is never moved, since an unchanged name makes no revision.')
@minLength(1)
param image string

@description('Resource id of the Container Apps environment.')
param environmentId string

@description('The registry, and the identity that may pull from it.')
param registryServer string
param pullIdentityId string

@description('The identity this app is.')
param identityId string
param identityClientId string

@description('The storage account.')
param accountName string

@description('Scheme and host without a path, as allowed_outbound_hosts wants them.')
param blobHost string
param queueHost string

@description('The vault with the connection string; empty in keyless mode.')
param keyVaultHost string

param queueName string
param containerName string

@description('A number. Text, because azd passes its variables as text.')
param retentionDays string

@description('Minutes for which the Location of an accepted task can be read without credentials.')
param sasTokenExpiryMinutes string = '10'

@description('Who may call: none, api-key, or easy-auth (which needs authentication to be configured on the app).')
@allowed(['none', 'api-key', 'easy-auth'])
param apiAuth string = 'none'

@description('SHA-256 digests of the accepted API keys, lower-case hexadecimal, comma-separated. Needed by api-key.')
param apiKeyHashes string = ''

// Naming the account is what makes the components use their identity on storage.
var storageAccountName = credentialMode == 'keyless' ? accountName : ''

resource app 'Microsoft.App/containerApps@2026-01-01' = {
  name: appName
  location: location
  tags: { 'azd-env-name': environmentName, 'azd-service-name': 'api' }
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${pullIdentityId}': {}, '${identityId}': {} }
  }
  properties: {
    environmentId: environmentId
    workloadProfileName: 'Consumption'
    configuration: {
      activeRevisionsMode: 'Single'
      ingress: {
        external: true
        targetPort: 3000
        transport: 'http'
        allowInsecure: false
      }
      registries: [{ server: registryServer, identity: pullIdentityId }]
      // The pull identity is of no use to the running container: code in there cannot get a token for it.
      identitySettings: [
        { identity: pullIdentityId, lifecycle: 'None' }
        { identity: identityId, lifecycle: 'Main' }
      ]
    }
    template: {
      terminationGracePeriodSeconds: 30
      containers: [
        {
          name: 'api'
          image: image
          // The Dockerfile has the same arguments as its default and says what each is for.
          args: [
            'api', '--grace', '25', '--'
            'spin', 'up', '--from', '/app/spin.toml', '--component-id', 'api', '--direct-mounts'
            '--runtime-config-file', '/app/runtime-config.toml', '--cache', '/app/compile-cache.toml'
            '--state-dir', '', '--log-dir', '', '--listen', '0.0.0.0:3000'
            '--max-instance-reuse-count', '100000', '--max-instance-concurrent-reuse-count', '16'
            '--idle-instance-timeout', '60s'
          ]
          resources: { cpu: json('0.5'), memory: '1Gi' }
          env: [
            { name: 'AzureADManagedIdentityClientId', value: identityClientId }
            { name: 'SPIN_VARIABLE_STORAGE_ACCOUNT_NAME', value: storageAccountName }
            { name: 'SPIN_VARIABLE_KEY_VAULT_URL', value: keyVaultHost }
            { name: 'SPIN_VARIABLE_BLOB_HOST', value: blobHost }
            { name: 'SPIN_VARIABLE_QUEUE_HOST', value: queueHost }
            { name: 'SPIN_VARIABLE_KEY_VAULT_HOST', value: keyVaultHost }
            { name: 'SPIN_VARIABLE_TASK_QUEUE_NAME', value: queueName }
            { name: 'SPIN_VARIABLE_TASK_BLOB_CONTAINER_NAME', value: containerName }
            { name: 'SPIN_VARIABLE_SAS_TOKEN_EXPIRY_MINUTES', value: sasTokenExpiryMinutes }
            { name: 'SPIN_VARIABLE_RETENTION_DAYS', value: retentionDays }
            { name: 'SPIN_VARIABLE_API_AUTH', value: apiAuth }
            { name: 'SPIN_VARIABLE_API_KEY_HASHES', value: apiKeyHashes }
            // TLS ends at the ingress, which sets these headers itself.
            { name: 'SPIN_VARIABLE_TRUST_FORWARDED', value: 'true' }
          ]
          probes: [
            {
              // Once a second: a client waits for this when the first replica starts.
              type: 'Startup'
              httpGet: { path: '/.well-known/spin/health', port: 3000 }
              periodSeconds: 1
              failureThreshold: 10
              timeoutSeconds: 2
            }
            {
              // Not /readyz, which asks storage: a cold start would wait for tokens and storage before its first
              // request, and an outage of storage, the same for all replicas, would turn our answers (503 with
              // Retry-After and a reason) into the ingress's own. /readyz is for monitors and deployments.
              type: 'Readiness'
              httpGet: { path: '/healthz', port: 3000 }
              periodSeconds: 5
              failureThreshold: 3
              timeoutSeconds: 5
            }
            {
              type: 'Liveness'
              httpGet: { path: '/healthz', port: 3000 }
              periodSeconds: 10
              failureThreshold: 3
              timeoutSeconds: 5
            }
          ]
        }
      ]
      scale: {
        minReplicas: 0
        maxReplicas: 10
        cooldownPeriod: 300
        rules: [{ name: 'http', http: { metadata: { concurrentRequests: '50' } } }]
      }
    }
  }
}

output API_BASE_URL string = 'https://${app.properties.configuration.ingress.fqdn}'
