// The worker: no ingress, 0 to 10 replicas by queue length. The launcher drains through loopback.
param location string
param tags object
param appName string
param environmentId string
param image string
param registryServer string
param pullIdentityId string
param identityId string
param identityClientId string
@description('The account the scale rules watch.')
param accountName string
@description('Set in keyless mode only: naming the account is what makes the components use their identity on storage.')
param storageAccountName string
param blobHost string
param queueHost string
@description('Empty in keyless mode.')
param keyVaultHost string
param queueName string
param containerName string
param retentionDays int

// 2 drains of 32 tasks are what one replica works on at a time.
var parallelDrains = 2
var maxConcurrency = 32

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
      // With several active revisions each would consume the queue.
      activeRevisionsMode: 'Single'
      registries: [{ server: registryServer, identity: pullIdentityId }]
      identitySettings: [
        { identity: pullIdentityId, lifecycle: 'None' }
        { identity: identityId, lifecycle: 'Main' }
      ]
    }
    template: {
      // The launcher uses 115 of these: running tasks may end, the rest are handed back.
      terminationGracePeriodSeconds: 120
      containers: [
        {
          name: 'worker'
          image: image
          args: [
            'worker', '--drain-url', 'http://127.0.0.1:3001/drain', '--parallel', string(parallelDrains), '--grace', '115'
            '--metrics-listen', '0.0.0.0:9090', '--'
            'spin', 'up', '--from', '/app/spin.toml', '--component-id', 'worker'
            '--runtime-config-file', '/app/runtime-config.toml', '--state-dir', '', '--log-dir', ''
            '--listen', '127.0.0.1:3001'
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
            { name: 'SPIN_VARIABLE_RETENTION_DAYS', value: string(retentionDays) }
            { name: 'SPIN_VARIABLE_MAX_CONCURRENCY', value: string(maxConcurrency) }
          ]
          probes: [
            {
              type: 'Startup'
              httpGet: { path: '/healthz', port: 9090 }
              periodSeconds: 1
              failureThreshold: 10
              timeoutSeconds: 2
            }
            {
              type: 'Liveness'
              httpGet: { path: '/healthz', port: 9090 }
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
        pollingInterval: 15
        cooldownPeriod: 300
        rules: [
          {
            // Counts messages being worked on as well, so a replica is not taken away while it works alone.
            name: 'tasks'
            azureQueue: {
              accountName: accountName
              queueName: queueName
              queueLength: parallelDrains * maxConcurrency
              identity: identityId
            }
          }
          {
            // Messages of tasks that are not due yet are invisible and must not keep a replica.
            name: 'scheduled'
            custom: {
              type: 'azure-queue'
              metadata: {
                accountName: accountName
                queueName: '${queueName}-scheduled'
                queueLength: string(parallelDrains * maxConcurrency)
                queueLengthStrategy: 'visibleonly'
                cloud: 'AzurePublicCloud'
              }
              identity: identityId
            }
          }
          {
            // Wakes one worker for the reconciliation sweep and the purge when nothing else does.
            name: 'sweep'
            custom: {
              type: 'cron'
              metadata: {
                timezone: 'Etc/UTC'
                start: '0 * * * *'
                end: '5 * * * *'
                desiredReplicas: '1'
              }
            }
          }
        ]
      }
    }
  }
}
