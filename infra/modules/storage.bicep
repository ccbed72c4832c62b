// The account, its container and queues, and the rule that deletes what the workers did not purge.
param location string
param tags object
param accountName string
param queueName string
param containerName string
param retentionDays int
@description('Whether account keys work. Only the keyVault mode needs them.')
param allowSharedKey bool
@description('Standard_ZRS survives the loss of a zone; Standard_GZRS keeps a copy in a second region as well.')
param replication string
param workspaceId string

resource account 'Microsoft.Storage/storageAccounts@2023-05-01' = {
  name: accountName
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: replication }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowSharedKeyAccess: allowSharedKey
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    // Callers read Location with a SAS from wherever they are.
    publicNetworkAccess: 'Enabled'
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2023-05-01' = {
  parent: account
  name: 'default'
}

resource container 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' = {
  parent: blobs
  name: containerName
  properties: { publicAccess: 'None' }
}

resource queues 'Microsoft.Storage/storageAccounts/queueServices@2023-05-01' = {
  parent: account
  name: 'default'
}

resource queue 'Microsoft.Storage/storageAccounts/queueServices/queues@2023-05-01' = [
  for suffix in ['', '-scheduled', '-poison']: {
    parent: queues
    name: '${queueName}${suffix}'
  }
]

// The workers purge finished tasks when they expire; this catches what is left when no worker ever wakes.
resource lifecycle 'Microsoft.Storage/storageAccounts/managementPolicies@2023-05-01' = {
  parent: account
  name: 'default'
  properties: {
    policy: {
      rules: [
        {
          enabled: true
          name: 'expire-tasks'
          type: 'Lifecycle'
          definition: {
            filters: { blobTypes: ['blockBlob'], prefixMatch: ['${containerName}/'] }
            // A week more than the workers' own rule, which counts from the end of a task and not from the last write.
            actions: { baseBlob: { delete: { daysAfterModificationGreaterThan: retentionDays + 7 } } }
          }
        }
      ]
    }
  }
}

resource queueLogs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: queues
  properties: {
    workspaceId: workspaceId
    // What the alert on the oldest message reads: about 1 KB per message put, extended or deleted.
    logs: [
      { category: 'StorageWrite', enabled: true }
      { category: 'StorageDelete', enabled: true }
    ]
  }
}

output accountName string = account.name
// Scheme and host without a path, as Spin's allowed_outbound_hosts wants them.
output blobHost string = 'https://${account.name}.blob.${environment().suffixes.storage}'
output queueHost string = 'https://${account.name}.queue.${environment().suffixes.storage}'
