// The API: public ingress, 0 to 10 replicas by requests in flight.
// `azd deploy` deploys it with api.parameters.json after it has pushed the image. Manually:
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

@description('Minutes until the SAS in Location expires.')
param sasTokenExpiryMinutes string = '10'

@description('Authentication of callers: none, api-key, or easy-auth (the platform authenticates callers with the registration below).')
@allowed(['none', 'api-key', 'easy-auth'])
param apiAuth string = 'none'

@description('SHA-256 digests of the accepted API keys, lower-case hexadecimal, comma-separated. Required by api-key.')
param apiKeyHashes string = ''

@description('Callers with the rights of an operator: digests of their keys with api-key, their principal ids with easy-auth; comma-separated. Empty means no caller, unless apiAuth is none.')
param apiOperators string = ''

@description('Client id of the app registration in Microsoft Entra ID for which callers have tokens. Required by easy-auth.')
param easyAuthClientId string = ''

@description('Issuer of those tokens; empty means the tenant of the deployment.')
param easyAuthIssuer string = ''

@description('Domain of the Container Apps environment.')
param defaultDomain string

@description('Address of the API behind a custom domain or a gateway: scheme, host and optionally a path. Empty means the address of the app.')
param publicBaseUrl string = ''

@description('Receiver of events of ended tasks: scheme, host and port, as in callback_hosts. Empty means that there is none.')
param callbackHost string = ''

@description('Further receivers, as callbackHost.')
param callbackHostB string = ''
param callbackHostC string = ''
param callbackHostD string = ''

@secure()
@description('Sink of the events of all tasks, as for the worker. Empty means that there is none.')
param eventSinkUrl string = ''

// With easy-auth the API trusts a header that names the caller. Only the platform's authentication prevents callers from
// sending that header, so one must not be deployed without the other. json() of a sentence ends the deployment with that
// sentence (the policy scanner does not know Bicep's fail() and would skip the whole file).
var hasNoRegistration = apiAuth == 'easy-auth' && empty(easyAuthClientId)
var hasNoKeys = apiAuth == 'api-key' && empty(apiKeyHashes)
var checkedRegistration = hasNoRegistration ? json('apiAuth ${apiAuth} needs easyAuthClientId (ACCEPTED_EASY_AUTH_CLIENT_ID): without authentication every caller could claim to be anyone') : apiAuth
var checkedAuth = hasNoKeys ? json('apiAuth ${apiAuth} needs apiKeyHashes (ACCEPTED_API_KEY_HASHES): no key would be accepted') : checkedRegistration

// With the name of the account the components use their identity for storage.
var storageAccountName = credentialMode == 'keyless' ? accountName : ''

// The address of a sink may contain a secret.
var sinkSecrets = empty(eventSinkUrl) ? [] : [{ name: 'event-sink-url', value: eventSinkUrl }]
var sinkVariables = empty(eventSinkUrl) ? [] : [{ name: 'SPIN_VARIABLE_EVENT_SINK_URL', secretRef: 'event-sink-url' }]

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
      secrets: sinkSecrets
      // The running container cannot get a token for the pull identity.
      identitySettings: [
        { identity: pullIdentityId, lifecycle: 'None' }
        { identity: identityId, lifecycle: 'Main' }
      ]
    }
    template: {
      // After SIGTERM the launcher lets the host serve for 10 s (--linger), then gives it --grace to end.
      terminationGracePeriodSeconds: 30
      containers: [
        {
          name: 'api'
          image: image
          // From arguments.json. The Dockerfile has the same default and explains each option.
          args: [
            'api', '--grace', '15', '--'
            'spin', 'up', '--from', '/app/spin.toml', '--component-id', 'api', '--direct-mounts'
            '--runtime-config-file', '/app/runtime-config.toml', '--cache', '/app/compile-cache.toml'
            '--state-dir', '', '--listen', '0.0.0.0:3000'
            '--max-instance-reuse-count', '100000', '--max-instance-concurrent-reuse-count', '16'
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
            { name: 'SPIN_VARIABLE_SAS_TOKEN_EXPIRY_MINUTES', value: sasTokenExpiryMinutes }
            { name: 'SPIN_VARIABLE_RETENTION_DAYS', value: retentionDays }
            { name: 'SPIN_VARIABLE_LOG_LEVEL', value: logLevel }
            { name: 'SPIN_VARIABLE_CALLBACK_HOSTS', value: callbackHost }
            { name: 'SPIN_VARIABLE_CALLBACK_HOSTS_B', value: callbackHostB }
            { name: 'SPIN_VARIABLE_CALLBACK_HOSTS_C', value: callbackHostC }
            { name: 'SPIN_VARIABLE_CALLBACK_HOSTS_D', value: callbackHostD }
            { name: 'SPIN_VARIABLE_QUEUE_PAUSE', value: queuePause }
            { name: 'SPIN_VARIABLE_SCHEDULES', value: schedules }
            { name: 'SPIN_VARIABLE_API_AUTH', value: checkedAuth }
            { name: 'SPIN_VARIABLE_API_KEY_HASHES', value: apiKeyHashes }
            { name: 'SPIN_VARIABLE_API_OPERATORS', value: apiOperators }
            // Set here, with trust_forwarded off: since the end of 2025 the ingress does not set X-Forwarded-Host but
            // passes on what the caller sent.
            { name: 'SPIN_VARIABLE_PUBLIC_BASE_URL', value: empty(publicBaseUrl) ? 'https://${appName}.${defaultDomain}' : publicBaseUrl }
          ], sinkVariables)
          probes: [
            {
              // 30 s: without code for this processor in the image's cache, compiling takes half a core several seconds.
              // The platform allows 10 failures, hence intervals of 3 s. The first probe is after 1 s, a usual start,
              // because a client waits for it.
              type: 'Startup'
              httpGet: { path: '/.well-known/spin/health', port: 3000 }
              initialDelaySeconds: 1
              periodSeconds: 3
              failureThreshold: 10
              timeoutSeconds: 2
            }
            {
              // Not /readyz, which calls storage: a cold start would wait for tokens and storage before its first
              // request, and during an outage of storage, which affects all replicas, the ingress would replace the
              // API's responses (503 with Retry-After and a reason). /readyz is for monitors and deployments.
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

// The platform responds 401 to requests without a valid token, except for the paths that monitors and deployments use.
resource auth 'Microsoft.App/containerApps/authConfigs@2026-01-01' = if (apiAuth == 'easy-auth') {
  parent: app
  name: 'current'
  properties: {
    platform: { enabled: true }
    globalValidation: {
      unauthenticatedClientAction: 'Return401'
      excludedPaths: ['/healthz', '/readyz']
    }
    identityProviders: {
      azureActiveDirectory: {
        enabled: true
        registration: {
          clientId: easyAuthClientId
          openIdIssuer: empty(easyAuthIssuer) ? '${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0' : easyAuthIssuer
        }
        validation: { allowedAudiences: [easyAuthClientId, 'api://${easyAuthClientId}'] }
      }
    }
  }
}

output API_BASE_URL string = 'https://${app.properties.configuration.ingress.fqdn}'
