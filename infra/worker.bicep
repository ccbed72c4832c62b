// The worker: no ingress, 0 to 10 replicas by queue length. The launcher calls the drain route through loopback.
// `azd deploy` deploys it with worker.parameters.json after it has pushed the image. Manually:
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

@description('The image in the registry below. Never move its tag: an unchanged name creates no revision.')
@minLength(1)
param image string

@description('Resource id of the Container Apps environment.')
param environmentId string

@description('The registry, and the identity that can pull from it.')
param registryServer string
param pullIdentityId string

@description('The identity of this app.')
param identityId string
param identityClientId string

@description('The storage account.')
param accountName string

@description('Scheme and host without a path, the form that allowed_outbound_hosts requires.')
param blobHost string
param queueHost string

@description('The vault with the connection string; empty in keyless mode.')
param keyVaultHost string

param queueName string
param priorityQueues string

@description('true lets operators pause the queue: each worker then reads the pause before it receives, at most every 5 s.')
param queuePause string

@description('true lets operators store schedules: tasks that are due again and again.')
param schedules string
param containerName string

@description('A number as text, because azd passes its variables as text.')
param retentionDays string

@description('The lowest level of log lines that the components write. Alerts need warn; the lines about accepted and completed tasks are info.')
@allowed(['info', 'warn', 'error'])
param logLevel string = 'info'

@description('Receiver of events of ended tasks: scheme, host and port, as in callback_hosts. Empty means that there is none.')
param callbackHost string = ''

@description('Further receivers, as callbackHost.')
param callbackHostB string = ''
param callbackHostC string = ''
param callbackHostD string = ''

@description('Address of the Key Vault secret with the keys of the signatures (callback_secrets), which the identity of this app can read; needed by callbackHost.')
param callbackSecretsUri string = ''

@secure()
@description('Sink of the events of all tasks, such as https://TOPIC.REGION-1.eventgrid.azure.net/api/events. Empty means that there is none.')
param eventSinkUrl string = ''

@description('How calls of the sink are authorised. With identity, the identity of this app needs the role EventGrid Data Sender on the topic.')
@allowed(['none', 'key', 'identity'])
param eventSinkAuth string = 'none'

@description('Address of the Key Vault secret with an access key of the topic (event_sink_key), which the identity of this app can read; needed by the auth key.')
param eventSinkKeyUri string = ''

// With the name of the account the components use their identity for storage.
var storageAccountName = credentialMode == 'keyless' ? accountName : ''

// One replica runs 2 drains of 32 tasks at a time.
var parallelDrains = 2
var maxConcurrency = 32

// The platform reads the secret; the components get its value.
var callbackSecrets = empty(callbackSecretsUri) ? [] : [{ name: 'callback-secrets', keyVaultUrl: callbackSecretsUri, identity: identityId }]
var sinkSecrets = empty(eventSinkUrl) ? [] : [{ name: 'event-sink-url', value: eventSinkUrl }]
var sinkVariables = empty(eventSinkUrl) ? [] : [{ name: 'SPIN_VARIABLE_EVENT_SINK_URL', secretRef: 'event-sink-url' }]
var sinkKeySecrets = empty(eventSinkKeyUri) ? [] : [{ name: 'event-sink-key', keyVaultUrl: eventSinkKeyUri, identity: identityId }]
var sinkKeyVariables = empty(eventSinkKeyUri) ? [] : [{ name: 'SPIN_VARIABLE_EVENT_SINK_KEY', secretRef: 'event-sink-key' }]
var callbackVariables = empty(callbackSecretsUri) ? [] : [{ name: 'SPIN_VARIABLE_CALLBACK_SECRETS', secretRef: 'callback-secrets' }]

// The scaler's name of this cloud.
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
      // With several active revisions, each would receive from the queue.
      activeRevisionsMode: 'Single'
      registries: [{ server: registryServer, identity: pullIdentityId }]
      secrets: concat(callbackSecrets, sinkSecrets, sinkKeySecrets)
      // The running container cannot get a token for the pull identity.
      identitySettings: [
        { identity: pullIdentityId, lifecycle: 'None' }
        { identity: identityId, lifecycle: 'Main' }
      ]
    }
    template: {
      // The launcher uses 115 s: running tasks may end, the others are handed back.
      terminationGracePeriodSeconds: 120
      containers: [
        {
          name: 'worker'
          image: image
          // From arguments.json; the Dockerfile explains each option of Spin.
          args: [
            'worker', '--drain-url', 'http://127.0.0.1:3000/drain', '--parallel', string(parallelDrains), '--grace', '115'
            '--metrics-listen', '0.0.0.0:9090', '--handlers-listen', '127.0.0.1:3001', '--handlers-memory', '268435456', '--'
            'spin', 'up', '--from', '/app/spin.toml', '--component-id', 'worker', '--direct-mounts'
            '--runtime-config-file', '/app/runtime-config.toml', '--cache', '/app/compile-cache.toml'
            '--state-dir', '', '--listen', '127.0.0.1:3000'
            '--max-instance-reuse-count', '100000', '--max-instance-concurrent-reuse-count', '1'
            '--idle-instance-timeout', '60s'
          ]
          resources: { cpu: json('0.5'), memory: '1Gi' }
          env: concat([
            { name: 'AzureADManagedIdentityClientId', value: identityClientId }
            { name: 'SPIN_VARIABLE_STORAGE_ACCOUNT_NAME', value: storageAccountName }
            { name: 'SPIN_VARIABLE_KEY_VAULT_URL', value: keyVaultHost }
            { name: 'SPIN_VARIABLE_BLOB_HOST', value: blobHost }
            { name: 'SPIN_VARIABLE_QUEUE_HOST', value: queueHost }
            { name: 'SPIN_VARIABLE_KEY_VAULT_HOST', value: keyVaultHost }
            { name: 'SPIN_VARIABLE_TASK_QUEUE_NAME', value: queueName }
            { name: 'SPIN_VARIABLE_PRIORITY_QUEUES', value: priorityQueues }
            { name: 'SPIN_VARIABLE_TASK_BLOB_CONTAINER_NAME', value: containerName }
            { name: 'SPIN_VARIABLE_RETENTION_DAYS', value: retentionDays }
            { name: 'SPIN_VARIABLE_LOG_LEVEL', value: logLevel }
            { name: 'SPIN_VARIABLE_QUEUE_PAUSE', value: queuePause }
            { name: 'SPIN_VARIABLE_SCHEDULES', value: schedules }
            { name: 'SPIN_VARIABLE_MAX_CONCURRENCY', value: string(maxConcurrency) }
            { name: 'SPIN_VARIABLE_CALLBACK_HOSTS', value: callbackHost }
            { name: 'SPIN_VARIABLE_CALLBACK_HOSTS_B', value: callbackHostB }
            { name: 'SPIN_VARIABLE_CALLBACK_HOSTS_C', value: callbackHostC }
            { name: 'SPIN_VARIABLE_CALLBACK_HOSTS_D', value: callbackHostD }
            { name: 'SPIN_VARIABLE_EVENT_SINK_AUTH', value: eventSinkAuth }
          ], callbackVariables, sinkVariables, sinkKeyVariables)
          // The launcher responds 200 while Spin is healthy, and 503 before that and after three failures in a row.
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
            // Includes messages being worked on, so that the last replica is not removed while its tasks run.
            name: 'tasks'
            azureQueue: {
              accountName: accountName
              queueName: queueName
              queueLength: parallelDrains * maxConcurrency
              identity: identityId
            }
          }
          {
            // Starts a worker when delayed tasks are due. Messages that are not due are invisible and must not keep a
            // replica running. From 32 visible messages on the scaler counts invisible ones as well; hence one replica per
            // 1000, since promotion is quick and the first rule then scales for the work.
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
            // Starts one worker an hour for the sweep and the purge if no other rule does. After `end` the rule requests no
            // replica, and the cool-down ends the replica 5 minutes later.
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
          {
            // Starts a worker when an event of an ended task is to be delivered. Events that wait for their next attempt are
            // invisible and must not keep a replica running.
            name: 'events'
            custom: {
              type: 'azure-queue'
              metadata: {
                accountName: accountName
                queueName: '${queueName}-events'
                queueLength: '1000'
                queueLengthStrategy: 'visibleonly'
                cloud: scalerClouds[environment().name]
              }
              identity: identityId
            }
          }
          {
            // As the first rule, for the queues that priority_queues adds.
            name: 'high'
            azureQueue: {
              accountName: accountName
              queueName: '${queueName}-high'
              queueLength: parallelDrains * maxConcurrency
              identity: identityId
            }
          }
          {
            name: 'low'
            azureQueue: {
              accountName: accountName
              queueName: '${queueName}-low'
              queueLength: parallelDrains * maxConcurrency
              identity: identityId
            }
          }
        ]
      }
    }
  }
}

output WORKER_APP_NAME string = app.name
