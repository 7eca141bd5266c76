namespace DbRetry.Failover.Patroni;

/// <summary>What one Patroni agent is told.</summary>
internal static class PatroniSettings
{
    public static string Text(string binaries, string folder, int node, int port, int restPort, int etcdPort) =>
        $$"""
        scope: proof
        name: n{{node}}
        restapi: {listen: '127.0.0.1:{{restPort}}', connect_address: '127.0.0.1:{{restPort}}'}
        etcd3: {hosts: '127.0.0.1:{{etcdPort}}'}
        log: {level: INFO}
        bootstrap:
          dcs:
            ttl: 5
            loop_wait: 1
            retry_timeout: 2
            maximum_lag_on_failover: 1048576
            primary_start_timeout: 0
            synchronous_mode: true
            postgresql:
              use_pg_rewind: true
              use_slots: true
              parameters:
                wal_log_hints: 'on'
                max_connections: 120
                fsync: 'off'
                shared_buffers: 16MB
                wal_keep_size: 256MB
                max_wal_size: 256MB
                jit: 'off'
                dynamic_shared_memory_type: mmap
                timezone: UTC
                lc_messages: C
          initdb: [{encoding: UTF8}, {locale: C.UTF-8}, no-sync]
        postgresql:
          listen: 127.0.0.1:{{port}}
          connect_address: 127.0.0.1:{{port}}
          data_dir: {{folder}}/data
          bin_dir: {{binaries}}
          pgpass: {{folder}}/pgpass
          pg_hba: ['local all all trust', 'host all all 127.0.0.1/32 trust', 'host replication all 127.0.0.1/32 trust']
          authentication:
            superuser: {username: postgres, password: x}
            replication: {username: replicator, password: x}
            rewind: {username: postgres, password: x}
          parameters: {unix_socket_directories: '{{folder}}'}
          basebackup: [{checkpoint: fast}, no-sync]

        """;
}
