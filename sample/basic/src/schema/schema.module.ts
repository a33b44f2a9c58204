import { Module } from '@nestjs/common';
import { SchemaPolicy } from './schema.policy.js';
import { SchemaService } from './schema.service.js';

@Module({ providers: [SchemaPolicy, SchemaService], exports: [SchemaPolicy] })
export class SchemaModule {}
