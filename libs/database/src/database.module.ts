import { Module, type DynamicModule } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { ChangeListener } from './change-listener.js';

/** Gives every feature the process's one data source and its change listener. */
@Module({})
export class DatabaseModule {
  static forRoot(dataSource: DataSource): DynamicModule {
    return {
      module: DatabaseModule,
      global: true,
      providers: [
        { provide: DataSource, useValue: dataSource },
        { provide: ChangeListener, useFactory: () => new ChangeListener(dataSource) },
      ],
      exports: [DataSource, ChangeListener],
    };
  }
}
