// The API: public ingress, 0 to 10 replicas by requests in flight.
param location string
param tags object
param appName string
param environmentId string
param image string
param registryServer string
param pullIdentityId string
param identityId string
param identityClientId string
@description('Set in keyless mode only: naming the account is what makes the components use their identity on storage.')
param storageAccountName string
param blobHost string
param queueHost string
@description('Empty in keyless mode.')
param keyVaultHost string
param queueName string
param containerName string
param sasTokenExpiryMinutes string
param retentionDays int
param apiAuth string
param apiKeyHashes string

resource app 'Microsoft.App/containerApps@2026-01-01' = {
  name: appName
  location: location
  tags: tags
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
      // The pull identity is of no use to the running container.
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
          // The image's entry point is the launcher; see the Dockerfile for what each host option is for.
          args: [
            'api', '--grace', '25', '--'
            'spin', 'up', '--from', '/app/spin.toml', '--component-id', 'api', '--direct-mounts'
            '--runtime-config-file', '/app/runtime-config.toml', '--state-dir', '', '--log-dir', ''
            '--listen', '0.0.0.0:3000'
            '--max-instance-reuse-count', '100000', '--idle-instance-timeout', '60s'
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
            { name: 'SPIN_VARIABLE_RETENTION_DAYS', value: string(retentionDays) }
            { name: 'SPIN_VARIABLE_API_AUTH', value: apiAuth }
            { name: 'SPIN_VARIABLE_API_KEY_HASHES', value: apiKeyHashes }
            // TLS ends at the ingress, which sets these headers itself and drops a caller's.
            { name: 'SPIN_VARIABLE_TRUST_FORWARDED', value: 'true' }
          ]
          probes: [
            {
              type: 'Startup'
              httpGet: { path: '/.well-known/spin/health', port: 3000 }
              periodSeconds: 1
              failureThreshold: 10
              timeoutSeconds: 2
            }
            {
              type: 'Readiness'
              httpGet: { path: '/readyz', port: 3000 }
              periodSeconds: 10
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
        rules: [{ name: 'http', http: { metadata: { concurrentRequests: '50' } } }]
      }
    }
  }
}

output baseUrl string = 'https://${app.properties.configuration.ingress.fqdn}'
