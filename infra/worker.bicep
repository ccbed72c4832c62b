// The worker: no ingress, 0 to 10 replicas by queue length. The launcher drains through loopback.
// Deployed by `azd deploy` after the image was pushed, with worker.parameters.json; by hand:
// `az deployment group create -g rg-NAME -f infra/worker.bicep -p …`.
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

// Naming the account is what makes the components use their identity on storage.
var storageAccountName = credentialMode == 'keyless' ? accountName : ''

// 2 drains of 32 tasks are what one replica works on at a time.
var parallelDrains = 2
var maxConcurrency = 32

// The name that the scaler has for this cloud.
var scalerClouds = {
  AzureCloud: 'AzurePublicCloud'
  AzureUSGovernment: 'AzureUSGovernmentCloud'
  AzureChinaCloud: 'AzureChinaCloud'
}

resource app 'Microsoft.App/containerApps@2026-01-01' = {
  name: appName
  location: location
  tags: { 'azd-env-name': environmentName, 'azd-service-name': 'worker' }
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
      // The pull identity is of no use to the running container: code in there cannot get a token for it.
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
          // From arguments.json; the Dockerfile says what each option of Spin is for.
          args: [
            'worker', '--drain-url', 'http://127.0.0.1:3000/drain', '--parallel', string(parallelDrains), '--grace', '115'
            '--metrics-listen', '0.0.0.0:9090', '--'
            'spin', 'up', '--from', '/app/spin.toml', '--component-id', 'worker', '--direct-mounts'
            '--runtime-config-file', '/app/runtime-config.toml', '--cache', '/app/compile-cache.toml'
            '--state-dir', '', '--listen', '127.0.0.1:3000'
            '--max-instance-reuse-count', '100000', '--max-instance-concurrent-reuse-count', '1'
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
            { name: 'SPIN_VARIABLE_RETENTION_DAYS', value: retentionDays }
            { name: 'SPIN_VARIABLE_MAX_CONCURRENCY', value: string(maxConcurrency) }
          ]
          // The launcher answers these: 200 while Spin answers it, 503 before that and after three failures in a row.
          probes: [
            {
              // As in api.bicep.
              type: 'Startup'
              httpGet: { path: '/healthz', port: 9090 }
              initialDelaySeconds: 1
              periodSeconds: 3
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
            // Wakes a worker when tasks for later are due. Those that are not due are invisible and must not keep a
            // replica. The scaler sees at most 31 messages this way and counts all of them from 32 on, sleeping ones
            // included; so one replica for 1000, since promoting is quick and the first rule then scales for the work.
            name: 'scheduled'
            custom: {
              type: 'azure-queue'
              metadata: {
                accountName: accountName
                queueName: '${queueName}-scheduled'
                queueLength: '1000'
                queueLengthStrategy: 'visibleonly'
                cloud: scalerClouds[environment().name]
              }
              identity: identityId
            }
          }
          {
            // Wakes one worker an hour for the reconciliation sweep and the purge when nothing else does. After `end` the
            // rule asks for nothing, and the cool-down ends the replica 5 minutes later.
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

output WORKER_APP_NAME string = app.name
